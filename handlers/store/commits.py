"""Group commit: writes that come together, or while the disk is busy, share one sync."""

import asyncio
import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Action = Callable[[], None]

# To hand a write to a thread, and to be told of its end, takes longer than a fast disk does. One
# that is alone is therefore made on the event loop, if the one before took no longer than this many
# seconds: for one caller, a registration's write then takes a quarter less time.
PROMPT = 0.001


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes on their way to the disk, and what happens when they have come to rest.

    `stored` is called where they are durable, `over` then or when they have failed.
    """

    content: bytes
    stored: Action
    over: Action | None
    told: asyncio.Future[None]

    def settle(self, error: Exception | None) -> None:
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
    """Makes writes in their order, and as many at a time as are waiting.

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
        self._took = float("inf")

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
        # Those who are about to write come first. A callback, since a task could be cancelled.
        asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        group, self._waiting = self._waiting, []
        if len(group) == 1 and self._took < PROMPT:
            self._end(group, self._made(group))
        else:
            making = asyncio.get_running_loop().run_in_executor(None, self._made, group)
            making.add_done_callback(lambda made: self._end(group, made.result()))

    def _made(self, group: Sequence[Write]) -> Exception | None:
        """Makes the writes durable; returns why not, if they are not."""
        begun = time.perf_counter()
        try:
            self._append([write.content for write in group])
        except Exception as error:  # noqa: BLE001, it is for whoever asked for the write
            return error
        finally:
            self._took = time.perf_counter() - begun
        return None

    def _end(self, group: Sequence[Write], error: Exception | None) -> None:
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
