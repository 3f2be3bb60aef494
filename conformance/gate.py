"""What a run may do to its target: how many requests, how many clients, how fast."""

import asyncio
import time

from clients_register.conformance.target import Limits


class LimitReached(Exception):
    """The profile allows no more; the message says of what."""


class Gate:
    """Every request of a run to its target passes here."""

    def __init__(self, limits: Limits) -> None:
        self.requests = 0
        self.clients = 0
        self._limits = limits
        self._interval = 1 / limits.requests_per_second if limits.requests_per_second else 0.0
        self._next = 0.0

    async def pass_(self, *, registers: bool) -> None:
        """Waits for the pace. `registers`: the request may create a client. Raises LimitReached."""
        if self.requests >= self._limits.requests:
            raise LimitReached(f"the limit of {self._limits.requests} requests is reached")
        if registers:
            if not self._limits.writes:
                raise LimitReached("the profile allows no writes")
            if self.clients >= self._limits.clients:
                raise LimitReached(f"the limit of {self._limits.clients} clients is reached")
            self.clients += 1
        self.requests += 1
        if self._interval:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._interval
            await asyncio.sleep(start - now)

    def slow_down(self) -> None:
        """Halves the pace: the target is overloaded."""
        self._interval = self._interval * 2 or 0.1
