"""The file store on a simulated disk: every crash of every operation, and every failure of one.

"Acknowledged" means that a method of the store returned. Whatever was acknowledged is there after a
crash, and nothing is there in part. A write that raises OSError is never there.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.crashing import DATA, PUBLIC, Crashes, History, Violation, open_data, records
from support.disk import EMPTY, Image, InterceptedDisk, Medium, SimulatedDisk
from support.hang import LIMIT
from support.people import mail, session, user

from clients_register.handlers.records import Session
from clients_register.handlers.store import file
from clients_register.handlers.store.disk import Disk
from clients_register.handlers.store.tinydb import TinyDBStore


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of openings warn of a torn journal."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


class Pace(ThreadPoolExecutor):
    """Has a compaction in the background make one operation on the disk at each `step`.

    It is the default executor of the event loop; what else it runs is not held up.
    """

    def __init__(self) -> None:
        super().__init__()
        self.compacting = False
        self._held = threading.local()
        self._arrived = threading.Semaphore(0)
        self._next = threading.Semaphore(0)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if getattr(fn, "__name__", "") != "compact_in_background":
            return super().submit(fn, *args, **kwargs)

        def held() -> None:
            self._held.here = True
            try:
                fn(*args, **kwargs)
            finally:
                self._held.here = self.compacting = False
                self._arrived.release()

        self.compacting = True
        future = super().submit(held)
        self._wait(self._arrived)
        return future

    def before(self, kind: str, path: Path) -> None:
        """Called before each operation."""
        if getattr(self._held, "here", False):
            self._arrived.release()
            self._wait(self._next)

    def step(self) -> None:
        if self.compacting:
            self._next.release()
            self._wait(self._arrived)

    def _wait(self, semaphore: threading.Semaphore) -> None:
        assert semaphore.acquire(timeout=LIMIT)


@pytest.fixture
async def pace() -> Pace:
    pace = Pace()
    asyncio.get_running_loop().set_default_executor(pace)
    return pace


def used(made: Session, hours: int) -> Session:
    return replace(made, last_used_at=made.last_used_at + timedelta(hours=hours))


async def work(disk: Disk, history: History, pace: Pace) -> None:
    """Writes of each kind, alone and at once, beside a compaction, and around a clean stop."""
    store = await open_data(disk)
    there, old = user(7, "there@x.test"), session("old", 7)
    await history.change(store.seed([there], [old], public=True), [there, old, PUBLIC])
    await history.register(store, "ada@x.test")
    await asyncio.gather(*(history.register(store, f"{name}@x.test") for name in ("bea", "cid")))
    await history.register(store, there.email, there)
    gone = await history.register(store, "gone@x.test")
    ended = [gone, session(gone.email, gone.id)]
    await history.change(store.remove_client(gone, None), removes=ended)
    with compactions():
        await history.change(store.add_mail(mail("full@x.test")), [mail("full@x.test")])
    number = 0
    while pace.compacting:
        pace.step()
        number += 1
        now, before = used(old, number), used(old, number - 1)
        await history.change(store.put_session(now), [now], [before])
    await store.close()
    store = await open_data(disk)
    await asyncio.gather(*(history.register(store, f"{name}@x.test") for name in ("dan", "eve")))


@contextmanager
def compactions() -> Iterator[None]:
    before, file.SMALLEST = file.SMALLEST, 0
    yield
    file.SMALLEST = before


async def recorded(pace: Pace, disk: SimulatedDisk) -> History:
    history = History(disk)
    await work(InterceptedDisk(pace.before, disk), history, pace)
    return history


async def test_x(pace: Pace) -> None:
    disk = SimulatedDisk(Medium(EMPTY))
    history = await recorded(pace, disk)
    for at, op in enumerate(disk.operations):
        print(at, op.kind, op.path, op.offset, len(op.content))
    for e in history.events:
        print(e.begun, e.acknowledged, e.refused)
    crashes = Crashes()
    try:
        await crashes.explore(EMPTY, disk.operations, history)
    finally:
        print(crashes.states)
