"""Group commit: writes that arrive together, or while the disk is busy, share one sync."""

import asyncio
import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Action = Callable[[], None]

# With a fast disk, switching to a thread and back takes longer than a write. A single write is
# therefore made on the event loop if the previous one took less than this, in seconds; for a single
# caller, the write of a registration then takes a quarter less time.
FAST_WRITE = 0.001


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes to be written, and what to do afterwards.

    `on_success` is called once they are durable, `on_end` in any case; `done` is the caller's.
    """

    content: bytes
    on_success: Action
    on_end: Action | None
    done: asyncio.Future[None]

    def finish(self, error: Exception | None) -> None:
        """Calls the callbacks, and resolves the future of the caller."""
        try:
            if error is None:
                self.on_success()
        finally:
            if self.on_end is not None:
                self.on_end()
            # The caller may have been cancelled.
            if not self.done.done():
                if error is None:
                    self.done.set_result(None)
                else:
                    # A copy for each, because raising an exception extends its traceback.
                    self.done.set_exception(copy.copy(error))


class GroupCommit:
    """Executes writes in order, all waiting ones at a time.

    `on_success` is called in the order of the writes, on the event loop, before any caller resumes,
    and even if the caller was cancelled.
    """

    def __init__(self, append: Callable[[Sequence[bytes]], None], after_group: Action) -> None:
        """`append` makes bytes durable or raises; `after_group` is called after each success."""
        self._append = append
        self._after_group = after_group
        self._waiting: list[Write] = []
        self._busy = False
        self._idle_waiters: list[asyncio.Future[None]] = []
        self._last_duration = float("inf")

    def submit(
        self, content: bytes, on_success: Action, on_end: Action | None = None
    ) -> asyncio.Future[None]:
        """Returns a future that resolves once `content` is durable, or fails as `append` does."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(Write(content, on_success, on_end, done))
        if not self._busy:
            self._busy = True
            self._schedule()
        return done

    async def idle(self) -> None:
        """Waits until there are no pending writes."""
        if self._busy:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle_waiters.append(waiter)
            await waiter

    def _schedule(self) -> None:
        # Later, so that other callers can join. As a callback, because a task could be cancelled.
        asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        group, self._waiting = self._waiting, []
        if len(group) == 1 and self._last_duration < FAST_WRITE:
            self._end(group, self._append_group(group))
        else:
            future = asyncio.get_running_loop().run_in_executor(None, self._append_group, group)
            future.add_done_callback(lambda done: self._end(group, done.result()))

    def _append_group(self, group: Sequence[Write]) -> Exception | None:
        """Makes the writes durable; returns the error if that fails."""
        started = time.perf_counter()
        try:
            self._append([write.content for write in group])
        except Exception as error:  # noqa: BLE001 - passed to the callers
            return error
        finally:
            self._last_duration = time.perf_counter() - started
        return None

    def _end(self, group: Sequence[Write], error: Exception | None) -> None:
        try:
            for write in group:
                write.finish(error)
            if error is None:
                self._after_group()
        finally:
            if self._waiting:
                self._schedule()
            else:
                self._busy = False
                waiting, self._idle_waiters = self._idle_waiters, []
                for waiter in waiting:
                    if not waiter.done():
                        waiter.set_result(None)
