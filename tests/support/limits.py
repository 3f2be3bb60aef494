"""The limit after which a test counts as hung, and time limits that expire when a test says so.

The limit counts from the last sign of life of what is watched, and no test passes or fails by any
other clock: a test that waits this long has failed already. `TEST_HANG_SCALE` multiplies the limit
on a slow machine.
"""

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg

from clients_register.handlers.store.postgres import connections

# Seconds without a sign of life.
LIMIT = 60.0 * float(os.environ.get("TEST_HANG_SCALE", "1"))

# Seconds between two looks at what is watched.
INTERVAL = 0.5


class Hung(AssertionError):
    """Something that a test waits for shows no sign of life any more."""


class Watch:
    """Notices when nothing has changed for `LIMIT` seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._signs: object = None
        self._last = clock()

    def check(self, *signs: object) -> None:
        """Compares `signs` with those of the call before. Raises Hung."""
        now = self._clock()
        if signs != self._signs:
            self._signs, self._last = signs, now
        elif now - self._last > LIMIT:
            raise Hung(f"no sign of life for {LIMIT:g} seconds")


def until(condition: Callable[[], bool]) -> None:
    """Polls `condition` until it holds. Raises Hung."""
    watch = Watch()
    while not condition():
        watch.check()
        time.sleep(0.01)


def communicate(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Waits until `process` ends; returns what it has written to its pipes.

    A process that hangs is killed. Raises Hung.
    """
    watch = Watch()
    while True:
        try:
            out, err = process.communicate(timeout=INTERVAL)
        except subprocess.TimeoutExpired as waiting:
            written = waiting.output or b"", waiting.stderr or b""
            try:
                watch.check(written, processor_seconds(process.pid))
            except Hung as hung:
                process.kill()
                raise Hung(f"{process.args!r}: {hung}; it wrote {written!r}") from None
        else:
            return out or "", err or ""


@contextmanager
def kill_when_hung(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Kills `process` if it hangs in the context, so that reading its output comes to an end."""
    done = threading.Event()

    def keep_watch() -> None:
        watch = Watch()
        with suppress(Hung):
            while not done.wait(INTERVAL):
                watch.check(processor_seconds(process.pid))
            return
        process.kill()

    thread = threading.Thread(target=keep_watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def processor_seconds(pid: int) -> int:
    """Processor time that a process and its descendants have used, 0 where there is no /proc.

    In whole seconds: an idle server uses some milliseconds a minute, and may hang all the same.
    """
    return sum(_ticks(each) for each in _family(pid)) // _TICKS_PER_SECOND


def child_processes(pid: int) -> list[int] | None:
    """The child processes of a process, oldest first; None where there is no /proc."""
    try:
        tasks = [*Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return None
    found: list[int] = []
    for task in tasks:
        with suppress(OSError):
            found += map(int, (task / "children").read_text().split())
    return found


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in child_processes(pid) or ():
        yield from _family(child)


def _ticks(pid: int) -> int:
    """Clock ticks in user and kernel mode, with those of children that were waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class TimeLimit:
    """Replaces `asyncio.timeout` for one duration; see `controlled`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout
        self._pending: list[tuple[asyncio.AbstractEventLoop, asyncio.Timeout]] = []

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        """Creates a timeout that only `expire` ends if it is for this duration."""
        if seconds != self._seconds:
            return self._timeout(seconds)
        created = self._timeout(None)
        self._pending.append((asyncio.get_running_loop(), created))
        return created

    def expire(self) -> None:
        """Expires all pending timeouts. Safe to call from any thread."""
        pending, self._pending = self._pending, []
        for loop, each in pending:
            loop.call_soon_threadsafe(_expire, loop, each)


def _expire(loop: asyncio.AbstractEventLoop, timeout: asyncio.Timeout) -> None:
    # It raises if its block has already ended.
    with suppress(RuntimeError):
        timeout.reschedule(loop.time())


@contextmanager
def controlled(seconds: float) -> Iterator[TimeLimit]:
    """Puts every `asyncio.timeout(seconds)`, in any event loop, under the control of the test."""
    limit = TimeLimit(seconds)
    with mock.patch.object(asyncio, "timeout", limit.timeout):
        yield limit


@contextmanager
def scheduled(seconds: float) -> Iterator[list[Callable[[], object]]]:
    """Collects the callbacks scheduled with a delay of `seconds`, for the test to call early."""
    loop = asyncio.get_running_loop()
    call_later = loop.call_later
    callbacks: list[Callable[[], object]] = []

    def record(
        delay: float, callback: Callable[..., object], *arguments: Any, **more: Any
    ) -> asyncio.TimerHandle:
        if delay == seconds:
            callbacks.append(partial(callback, *arguments))
        return call_later(delay, callback, *arguments, **more)

    with mock.patch.object(loop, "call_later", record):
        yield callbacks


@contextmanager
def impatient() -> Iterator[None]:
    """Makes requests stop waiting for a database connection once one attempt has been refused."""
    connect = psycopg.AsyncConnection.connect

    with controlled(connections.ACQUIRE_TIMEOUT) as limit:

        async def connect_once(**parameters: Any) -> psycopg.AsyncConnection:
            try:
                return await connect(**parameters)
            except psycopg.OperationalError:
                limit.expire()
                raise

        with mock.patch.object(psycopg.AsyncConnection, "connect", connect_once):
            yield
