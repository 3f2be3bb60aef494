"""Time limits of the code under test, which pass when a test says so and not by the clock."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from unittest import mock

import psycopg

from clients_register.handlers.store.postgres import connections


class Limit:
    """Every `asyncio.timeout` of so many seconds, in whichever event loop."""

    def __init__(self, seconds: float) -> None:
        """Begins with `held`."""
        self._seconds = seconds
        self._timeout = asyncio.timeout
        self._set: list[tuple[asyncio.AbstractEventLoop, asyncio.Timeout]] = []

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        """In the place of `asyncio.timeout`."""
        if seconds != self._seconds:
            return self._timeout(seconds)
        made = self._timeout(None)
        self._set.append((asyncio.get_running_loop(), made))
        return made

    def passes(self) -> None:
        """Lets the time of those pass that are set now. May be called in any thread."""
        passing, self._set = self._set, []
        for loop, each in passing:
            loop.call_soon_threadsafe(_expire, loop, each)


def _expire(loop: asyncio.AbstractEventLoop, limit: asyncio.Timeout) -> None:
    # What was limited may have come to its end meanwhile.
    with suppress(RuntimeError):
        limit.reschedule(loop.time())


@contextmanager
def held(seconds: float) -> Iterator[Limit]:
    """In the context, limits of `seconds` pass when the test says so."""
    limit = Limit(seconds)
    with mock.patch.object(asyncio, "timeout", limit.timeout):
        yield limit


@contextmanager
def later(seconds: float) -> Iterator[list[Callable[[], object]]]:
    """What the running event loop is told in the context to do after `seconds`, to be done now."""
    loop = asyncio.get_running_loop()
    call_later = loop.call_later
    told: list[Callable[[], object]] = []

    def call(
        delay: float, act: Callable[..., object], *arguments: Any, **more: Any
    ) -> asyncio.TimerHandle:
        if delay == seconds:
            told.append(partial(act, *arguments))
        return call_later(delay, act, *arguments, **more)

    with mock.patch.object(loop, "call_later", call):
        yield told


@contextmanager
def refused_in_vain() -> Iterator[None]:
    """In the context, who waits for a connection has waited long enough when one is refused."""
    connect = psycopg.AsyncConnection.connect

    with held(connections.PATIENCE) as limit:

        async def connected(**parameters: Any) -> psycopg.AsyncConnection:
            try:
                return await connect(**parameters)
            except psycopg.OperationalError:
                limit.passes()
                raise

        with mock.patch.object(psycopg.AsyncConnection, "connect", connected):
            yield
