"""Group commit: writes that come while the disk is busy share its next sync."""

import asyncio
import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Action = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes on their way to the disk, and what happens when they have come to rest.

    `stored` is called where they are durable, `over` then or when they have failed.
    """

    content: bytes
    stored: Action
    over: Action | None
    told: asyncio.Future[None]

    def settle(self, error: BaseException | None) -> None:
        """Tells everybody how it went."""
        try:
            if error is None:
                self.stored()
        finally:
            if self.over is not None:
                self.over()
            # A caller who was cancelled waits no more.
            if not self.told.done():
                if error is None:
                    self.told.set_result(None)
                else:
                    # Each raises its own, or their tracebacks would grow together.
                    self.told.set_exception(copy.copy(error))


class GroupCommit:
    """Hands writes to a thread, in their order, and as many at a time as are waiting.

    What is `stored` is so in the order of the writes, on the event loop, before any caller goes on.
    A caller who is cancelled changes nothing of that.
    """

    def __init__(self, append: Callable[[Sequence[bytes]], None], between: Action) -> None:
        """`append` makes bytes durable or raises; `between` is called after each time it did."""
        self._append = append
        self._between = between
        self._waiting: list[Write] = []
        self._busy = False
        self._idle: list[asyncio.Future[None]] = []

    def submit(
        self, content: bytes, stored: Action, over: Action | None = None
    ) -> asyncio.Future[None]:
        """A future that is done when `content` is durable, or failed with what `append` raised."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(Write(content, stored, over, told))
        if not self._busy:
            self._busy = True
            self._begin()
        return told

    async def idle(self) -> None:
        """Waits until nothing is on its way."""
        if self._busy:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            await waiter

    def _begin(self) -> None:
        group, self._waiting = self._waiting, []
        content = [write.content for write in group]
        # A callback and not a task, for a task could be cancelled.
        loop = asyncio.get_running_loop()
        syncing = loop.run_in_executor(None, self._append, content)
        syncing.add_done_callback(lambda done: self._end(group, done.exception()))

    def _end(self, group: Sequence[Write], error: BaseException | None) -> None:
        try:
            for write in group:
                write.settle(error)
            if error is None:
                self._between()
        finally:
            if self._waiting:
                self._begin()
            else:
                self._busy = False
                waiting, self._idle = self._idle, []
                for waiter in waiting:
                    if not waiter.done():
                        waiter.set_result(None)
