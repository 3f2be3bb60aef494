"""Waiting on the server for something to happen, so that tests need not ask again and again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class News:
    """Wakes all who wait whenever there is something new."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self._ended = False

    def tell(self) -> None:
        """There is something new: whoever waits looks again."""
        for each in self._waiting:
            if not each.done():
                each.set_result(None)

    def end(self) -> None:
        """There will be nothing new any more: whoever waits goes on."""
        self._ended = True
        self.tell()

    async def until(self, find: Callable[[], Awaitable[T]], seconds: float) -> T:
        """What `find` finds as soon as that is something.

        At the latest after `seconds`, or at the end of all news, it may be nothing.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while True:
            # Before looking, so that nothing is missed between the look and the wait.
            told = loop.create_future()
            self._waiting.add(told)
            try:
                found = await find()
                left = ends - loop.time()
                if found or left <= 0 or self._ended:
                    return found
                await asyncio.wait([told], timeout=left)
            finally:
                self._waiting.discard(told)
