"""Which writes of a store may run concurrently."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class WriteLocks:
    """Write locks: writes run concurrently unless they conflict.

    A registration locks its e-mail address; removals and seeds lock everything. No other task runs
    between the end of a wait and the next `await` of the caller, so what the caller reads from
    memory in between still holds when it begins a write.
    """

    def __init__(self, wait_for_writes: Callable[[], Awaitable[None]]) -> None:
        """`wait_for_writes` returns once no write is pending."""
        self._wait_for_writes = wait_for_writes
        self._locked_emails: dict[str, asyncio.Event] = {}
        self._exclusive = asyncio.Lock()
        self._exclusive_ended: asyncio.Event | None = None

    async def wait(self) -> None:
        """Waits until no exclusive lock is held."""
        while self._exclusive_ended is not None:
            await self._exclusive_ended.wait()

    async def wait_for_email(self, email_key: str) -> None:
        """Waits until neither an exclusive lock nor one of the address is held."""
        await self.wait()
        while (released := self._locked_emails.get(email_key)) is not None:
            await released.wait()
            await self.wait()

    def lock_email(self, email_key: str) -> Callable[[], None]:
        """Locks the address; returns a function that releases it, to be called once."""
        released = self._locked_emails[email_key] = asyncio.Event()

        def release() -> None:
            del self._locked_emails[email_key]
            released.set()

        return release

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Waits for all locks and writes; no other write begins until the context ends."""
        async with self._exclusive:
            ended = self._exclusive_ended = asyncio.Event()
            try:
                for released in [*self._locked_emails.values()]:
                    await released.wait()
                await self._wait_for_writes()
                yield
            finally:
                self._exclusive_ended = None
                ended.set()
