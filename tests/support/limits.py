"""Time limits of the code under test that expire when the test says so, not by the clock."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from unittest import mock

import psycopg

from clients_register.handlers.store.postgres import connections


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
