"""Who may write when: writes go side by side, but for those that would contradict each other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Turns:
    """Reserved addresses, and writes that are alone.

    Nothing happens between the end of a wait here and the next `await` of its caller: what is asked
    of memory there still holds when a write is begun.
    """

    def __init__(self, idle: Callable[[], Awaitable[None]]) -> None:
        """`idle` waits until no write is on its way."""
        self._idle = idle
        self._reserved: dict[str, asyncio.Event] = {}
        self._alone = asyncio.Lock()
        self._alone_is_over: asyncio.Event | None = None

    async def shared(self) -> None:
        """Waits for a write that is alone."""
        while self._alone_is_over is not None:
            await self._alone_is_over.wait()

    async def of(self, email_key: str) -> None:
        """Waits for a write that is alone, and for one that has reserved the address."""
        await self.shared()
        while (reserved := self._reserved.get(email_key)) is not None:
            await reserved.wait()
            await self.shared()

    def reserve(self, email_key: str) -> Callable[[], None]:
        """Reserves the address until what is returned is called, which is once."""
        over = self._reserved[email_key] = asyncio.Event()

        def release() -> None:
            del self._reserved[email_key]
            over.set()

        return release

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Waits for all reservations and writes; no other begins until the context ends."""
        async with self._alone:
            over = self._alone_is_over = asyncio.Event()
            try:
                for reserved in [*self._reserved.values()]:
                    await reserved.wait()
                await self._idle()
                yield
            finally:
                self._alone_is_over = None
                over.set()
