"""The limits of a connection, and the timer of its deadlines."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """`max_head` is in bytes; the others are in seconds.

    `receive_timeout` bounds the time until a request is complete and the time a client takes to
    read; `idle_timeout` bounds the time between requests.
    """

    max_head: int
    receive_timeout: float
    idle_timeout: float


class DeadlineTimer:
    """Calls a function at a deadline that moves several times per request.

    A deadline that moves to a later time leaves the timer as it is. When the timer fires, the
    deadline is looked up, and the timer set again. That costs less than a timer for each deadline.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        find_deadline: Callable[[], float],
        on_expired: Callable[[], None],
    ) -> None:
        """`find_deadline` returns a time of the `loop`, or infinity."""
        self._loop = loop
        self._find_deadline = find_deadline
        self._on_expired = on_expired
        self._due = math.inf
        self._handle: asyncio.TimerHandle | None = None

    def set(self, deadline: float) -> None:
        """Has to be called whenever the deadline may have moved to an earlier time."""
        if deadline < self._due:
            if self._handle is not None:
                self._handle.cancel()
            self._due = deadline
            self._handle = self._loop.call_at(deadline, self._check)

    def stop(self) -> None:
        """Ends the timer for good."""
        if self._handle is not None:
            self._handle.cancel()
        self._due = -math.inf

    def _check(self) -> None:
        self._handle, self._due = None, math.inf
        deadline = self._find_deadline()
        if self._loop.time() < deadline:
            self.set(deadline)
        else:
            self._on_expired()
