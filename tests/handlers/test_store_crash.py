"""The file store on a simulated disk: every crash of every operation, and every failure of one.

"Acknowledged" means that a method of the store returned. Whatever was acknowledged is there after a
crash, and nothing is there in part. A write that raises OSError is never there.
"""

import asyncio
import errno
import logging
import math
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.crashes import (
    DATA,
    FOREVER,
    PUBLIC,
    Crashes,
    Event,
    History,
    Open,
    Records,
    Violation,
    expect,
    open_data,
    records,
)
from support.disk import EMPTY, Image, InterceptedDisk, Medium, SimulatedDisk
from support.limits import LIMIT
from support.records import mail, session, user

from clients_register.handlers.store.base import StoreError
from clients_register.handlers.store.journaled import storage
from clients_register.handlers.store.journaled.disk import Disk
from clients_register.handlers.store.tinydb import TinyDBStore
from clients_register.handlers.stub.world_files import WorldFiles

# Measuring would double the time that it takes, and other tests reach the same lines.
pytestmark = pytest.mark.no_cover


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


async def opened(disk: Disk, history: History) -> TinyDBStore:
    """Opens the store as soon as the disk allows it."""
    while True:
        try:
            store = await open_data(disk)
        except StoreError:
            continue
        history.reopened(await records(store))
        return store


async def work(disk: Disk, history: History, pace: Pace) -> None:
    """Writes of each kind, alone and at once, during a compaction, and around a clean stop."""

    async def settled() -> None:
        expect(await records(store), {history.acknowledged}, "what is visible", history.now)

    store = await opened(disk, history)
    there, latest = user(7, "there@x.test"), session("old", 7)
    seeded = False
    while not seeded:
        seed = store.seed([there], [latest], public=True)
        seeded = await history.change(seed, [there, latest, PUBLIC])
        await settled()
    await asyncio.gather(*(history.register(store, f"{name}@x.test") for name in ("ada", "bea")))
    await settled()
    with compactions():
        await history.change(store.add_mail(mail("full@x.test")), [mail("full@x.test")])
    while pace.compacting:
        pace.step()
        used = replace(latest, last_used_at=latest.last_used_at + timedelta(hours=1))
        if await history.change(store.put_session(used), [used], [latest]):
            latest = used
        await settled()
    await history.register(store, there.email, there)
    gone = await history.register(store, "gone@x.test")
    await settled()
    if await store.user(gone.id):
        ended = [gone, session(gone.email, gone.id)]
        await history.change(store.remove_client(gone, None), removes=ended)
        await settled()
    with suppress(OSError):
        await store.close()
    store = await opened(disk, history)
    await settled()
    await asyncio.gather(*(history.register(store, f"{name}@x.test") for name in ("cid", "dan")))
    await settled()


@contextmanager
def compactions() -> Iterator[None]:
    """The next write is followed by a compaction."""
    before, storage.MIN_COMPACTION_SIZE = storage.MIN_COMPACTION_SIZE, 0
    yield
    storage.MIN_COMPACTION_SIZE = before


class Recording:
    """The workload on a simulated disk: its operations, and what was acknowledged when."""

    def __init__(self, start: Image = EMPTY, before: Records = frozenset()) -> None:
        self.start = start
        self.disk = SimulatedDisk(Medium(start))
        self.history = History(self.disk, before)

    async def explore(self, open_store: Open = open_data, when: range = FOREVER) -> Crashes:
        crashes = Crashes(open_store)
        await crashes.explore(self.start, self.disk.operations, self.history, when)
        return crashes


# The gate tries every third operation, the soak each.
each_operation = pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.soak)])


@pytest.mark.once
@each_operation
async def test_whatever_a_crash_leaves_holds_what_was_acknowledged(pace: Pace, step: int) -> None:
    recording = Recording()
    await work(InterceptedDisk(pace.before, recording.disk), recording.history, pace)
    crashes = await recording.explore(when=range(0, len(recording.disk.operations) + 1, step))
    assert crashes.states > 10_000 / step


# Which operations are left out, and whether by the writers or when the store is opened again.
FORGOTTEN = {
    "the journal is not synced": ("sync", ".journal.", True),
    "the snapshot is not synced before it is renamed": ("sync", ".new", True),
    "the directory is not synced": ("sync_directory", "/", True),
    "the journal is not synced at opening": ("sync", ".journal.", False),
    "the directory is not synced at opening": ("sync_directory", "/", False),
    "a torn end is not cut off": ("truncate", ".journal.", False),
}


@pytest.mark.parametrize("fault", FORGOTTEN)
async def test_an_operation_that_is_forgotten_is_found_out(pace: Pace, fault: str) -> None:
    kind, name, by_writers = FORGOTTEN[fault]

    def forget(called: str, path: Path) -> bool:
        return called != kind or name not in str(path)

    def writing(called: str, path: Path) -> bool:
        pace.before(called, path)
        return not by_writers or forget(called, path)

    def broken(disk: Disk) -> Disk:
        return disk if by_writers else InterceptedDisk(forget, disk)

    recording = Recording()
    await work(InterceptedDisk(writing, recording.disk), recording.history, pace)
    with pytest.raises(Violation):
        await recording.explore(lambda disk: open_data(broken(disk)))


@pytest.mark.parametrize("zeros", [0, 600])
async def test_the_end_of_an_interrupted_write_is_mended_for_good(zeros: int) -> None:
    recording = Recording()
    store = await open_data(recording.disk)
    await recording.history.register(store, "ada@x.test")
    before = await records(store)
    await recording.history.register(store, "torn@x.test")
    image = {**recording.disk.image()}
    content = image["/data.json.journal.1"]
    assert content is not None
    image["/data.json.journal.1"] = content[: -zeros - 100] + bytes(zeros)
    mending = Recording(image, before)
    store = await open_data(mending.disk)
    await mending.history.register(store, "bea@x.test")
    await store.close()
    await mending.explore()


async def open_world(disk: Disk) -> TinyDBStore:
    return await WorldFiles(DATA, disk).open_store("world")


@pytest.mark.parametrize("closed", [True, False])
async def test_a_world_is_there_with_its_folder_until_it_is_erased(*, closed: bool) -> None:
    recording = Recording()
    engine = WorldFiles(DATA, recording.disk)
    engine.erase("world")
    store = await engine.open_store("world")
    await recording.history.register(store, "ada@x.test")
    everything = recording.history.acknowledged
    if closed:
        await store.close()
    recording.history.events.append(Event(recording.history.now, removes=everything))
    engine.erase("world")
    await recording.explore(open_world)


async def test_data_that_begin_anew_are_all_there_or_all_gone() -> None:
    recording = Recording()
    store = await open_data(recording.disk)
    await recording.history.register(store, "ada@x.test")
    everything = recording.history.acknowledged
    recording.history.events.append(Event(recording.history.now, removes=everything))
    store = TinyDBStore(DATA, public_allowed=True, locked=False, fresh=True, disk=recording.disk)
    recording.history.events[-1].acknowledged = recording.history.now
    await recording.history.register(store, "bea@x.test")
    await recording.explore()


class Fault:
    """Fails operations number `first` to `last` of those that `disk` is asked for."""

    def __init__(self, disk: SimulatedDisk, pace: Pace, first: float, last: float) -> None:
        self.calls: list[str] = []
        self.begin = 0
        self._disk = disk
        self._pace = pace
        self._first = first
        self._last = last

    def __call__(self, kind: str, path: Path) -> None:
        self._pace.before(kind, path)
        self.calls.append(kind)
        if len(self.calls) == self._first:
            self.begin = len(self._disk.operations)
        if self._first <= len(self.calls) <= self._last:
            number = errno.EIO if "sync" in kind else errno.ENOSPC
            raise OSError(number, os.strerror(number))


# So many operations fail in a row.
LASTING = 6

# Crashes are tried up to this many operations after a failure, when its traces are gone.
AFTERMATH = 4


@each_operation
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
async def test_a_write_that_fails_is_not_there_and_others_go_on(
    pace: Pace, step: int, *, lasting: bool
) -> None:
    recording, crashes = Recording(), Crashes()
    none = Fault(recording.disk, pace, math.inf, 0)
    await work(InterceptedDisk(none, recording.disk), recording.history, pace)
    for number, kind in [*enumerate(none.calls, start=1)][::step]:
        for part in (0.5, 1) if kind == "write" and not lasting else (1,):
            disk = SimulatedDisk(Medium(EMPTY))
            history = History(disk, lasting=lasting)
            fault = Fault(disk, pace, number, number + LASTING * lasting)
            await work(InterceptedDisk(fault, disk, part), history, pace)
            when = range(fault.begin, fault.begin + AFTERMATH + 1)
            await crashes.explore(EMPTY, disk.operations, history, when, every_byte=False)
            found = await records(await open_data(disk))
            expect(found, history.allowed(history.now), "at the end")
