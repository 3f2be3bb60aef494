"""`JournaledTinyDB`: TinyDB whose tables are changed in transactions, durable and atomic.

    users = database.table("users", indexed=("email",))
    with database.transaction() as transaction:
        users.insert({"email": "ada@example.test"})
    await transaction.commit()
    (ada,) = users.find("email", "ada@example.test")
    users.get(doc_id=ada)

Tables show only what is durable. Within a transaction they also show its own changes and those of
commits that are pending, since these take effect before it. Transactions that are committed
together, or while the disk is busy, share one sync (group commit).
"""

import asyncio
import copy
import time
from collections.abc import (
    Callable,
    Iterator,
    Sequence,
)
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never, cast

from tinydb import TinyDB
from typing_extensions import override

from clients_register.handlers.store.journaled.journal import encode_change
from clients_register.handlers.store.journaled.storage import JournalStorage
from clients_register.handlers.store.journaled.tables import (
    ChangeLayers,
    Changes,
    JournaledTable,
    refuse,
)

Action = Callable[[], None]

# With a fast disk, switching to a thread and back takes longer than a write. A single write is
# therefore made on the event loop if the previous one took less than this, in seconds; for a single
# caller, the write of a registration then takes a quarter less time.
FAST_WRITE = 0.001


class JournaledTinyDB(TinyDB):
    """A database in a file, for one process and one event loop. See `JournalStorage`."""

    table_class = JournaledTable  # type: ignore[assignment]

    def __init__(self, path: Path, **options: Any) -> None:
        """Opens or creates a file; `options` are those of `JournalStorage`."""
        self._layers = ChangeLayers()
        super().__init__(path, storage=JournalStorage, **options)
        self._commits = GroupCommit(self.storage.append, self._compact)

    @property
    @override
    def storage(self) -> JournalStorage:
        return cast(JournalStorage, self._storage)

    @override
    def table(self, name: str, **options: Any) -> JournaledTable:
        """Returns a table; on the first call, `indexed` are the paths of the indexed fields."""
        return cast(JournaledTable, super().table(name, layers=self._layers, **options))

    @override
    def drop_table(self, name: str) -> Never:
        """Refuses to drop a table; its `truncate` removes all documents."""
        refuse("a table to drop; truncate it in one")

    @override
    def drop_tables(self) -> Never:
        """Refuses to drop the tables; see `drop_table`."""
        refuse("tables to drop; truncate them in one")

    @contextmanager
    def transaction(self) -> Iterator["Transaction"]:
        """Collects the changes that tables make in the context, in which nothing may be awaited.

        They are lost if the transaction is not committed.
        """
        if self._layers.open is not None:
            raise RuntimeError("expected no open transaction, found one")
        changes = self._layers.open = {}
        try:
            yield Transaction(self, changes)
        finally:
            self._layers.open = None

    def submit(self, changes: Changes, on_end: Action | None) -> asyncio.Future[None]:
        """See `Transaction.commit`."""
        if self._layers.open is changes:
            raise RuntimeError("expected a commit after its `with` block, found one inside")
        if not self._opened:
            raise RuntimeError("expected an open database, found a closed one")

        def end() -> None:
            self._layers.remove_pending(changes)
            if on_end is not None:
                on_end()

        if not any(changes.values()):
            end()
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        self._layers.add_pending(changes)
        return self._commits.submit(encode_change(changes), lambda: self._apply(changes), end)

    async def idle(self) -> None:
        """Waits until no commit is pending."""
        await self._commits.idle()

    @property
    def is_busy(self) -> bool:
        """Whether a commit is pending."""
        return self._commits.is_busy

    @override
    def close(self, *, compact: bool = True) -> None:
        """Closes the file, see `JournalStorage.close`.

        Raises RuntimeError while a commit is pending; see `idle`.
        """
        if self.is_busy:
            raise RuntimeError("expected no pending commit, found one; await idle() before close()")
        self.storage.close(compact=compact)
        # TinyDB closes the storage once more, which does nothing.
        super().close()

    def _apply(self, changes: Changes) -> None:
        for name, changed in changes.items():
            self.table(name).update_indexes(changed)
        self.storage.apply(changes)

    def _compact(self) -> None:
        """Starts a compaction if due. Called between writes, when memory equals the files."""
        if self.storage.compaction_is_due:
            compact_in_background = self.storage.begin_compaction()
            asyncio.get_running_loop().run_in_executor(None, compact_in_background)


class Transaction:
    """The changes of a transaction. See `JournaledTinyDB.transaction`."""

    def __init__(self, database: JournaledTinyDB, changes: Changes) -> None:
        self._database = database
        self._changes: Changes | None = changes

    def commit(self, on_end: Action | None = None) -> asyncio.Future[None]:
        """Submits the changes. Call it once, after the `with` block.

        The future resolves once they are durable and visible, or fails with OSError if they are
        neither: if their write fails, or one that they may be based on. Transactions take effect in
        the order of these calls. `on_end` is called when the write ends, even if the caller was
        cancelled.
        """
        changes, self._changes = self._changes, None
        if changes is None:
            raise RuntimeError("expected one commit of a transaction, found another")
        return self._database.submit(changes, on_end)


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes to be written, and what to do afterwards.

    `on_success` is called once they are durable, `on_end` in any case; `done` is the caller's.
    """

    content: bytes
    on_success: Action
    on_end: Action
    done: asyncio.Future[None]

    def finish(self, error: Exception | None) -> None:
        """Calls the callbacks, and resolves the future of the caller."""
        loop = asyncio.get_running_loop()
        for callback in (self.on_end,) if error else (self.on_success, self.on_end):
            try:
                callback()
            except Exception as raised:  # noqa: BLE001 - other callers must not be affected
                loop.call_exception_handler({"message": "after a commit", "exception": raised})
        # The caller may have been cancelled.
        if not self.done.done():
            if error is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(_copy(error))


class GroupCommit:
    """Executes writes in order, all waiting ones at a time.

    `on_success` is called in the order of the writes, on the event loop, before any caller resumes,
    and even if the caller was cancelled. If a group fails, so do the writes that wait: they may be
    based on it.
    """

    def __init__(self, append: Callable[[Sequence[bytes]], None], after_group: Action) -> None:
        """`append` makes bytes durable or raises; `after_group` is called after each success."""
        self._append = append
        self._after_group = after_group
        self._waiting: list[Write] = []
        self.is_busy = False
        self._idle_waiters: list[asyncio.Future[None]] = []
        self._last_duration = float("inf")

    def submit(self, content: bytes, on_success: Action, on_end: Action) -> asyncio.Future[None]:
        """Returns a future that resolves once `content` is durable, or fails as `append` does."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(Write(content, on_success, on_end, done))
        if not self.is_busy:
            self.is_busy = True
            self._schedule()
        return done

    async def idle(self) -> None:
        """Waits until there are no pending writes."""
        if self.is_busy:
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
        if error is not None:
            group, self._waiting = [*group, *self._waiting], []
        for write in group:
            write.finish(error)
        try:
            if error is None:
                self._after_group()
        finally:
            if self._waiting:
                self._schedule()
            else:
                self.is_busy = False
                waiting, self._idle_waiters = self._idle_waiters, []
                for waiter in waiting:
                    if not waiter.done():
                        waiter.set_result(None)


def _copy(error: Exception) -> Exception:
    """Copies `error` for one caller, because raising an exception extends its traceback."""
    try:
        return copy.copy(error)
    except Exception:  # noqa: BLE001 - a foreign exception may not be copyable, the caller waits
        return error
