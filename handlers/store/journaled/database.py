"""`JournaledTinyDB`: TinyDB whose tables are changed in transactions, durable and atomic.

    users = database.table("users", indexed=("email",))
    with database.transaction() as transaction:
        users.insert({"email": "ada@example.test"})
    await transaction.commit()
    (ada,) = users.find("email", "ada@example.test")

Tables show only what is durable, and in a transaction also its own changes. Transactions that are
committed together, or while the disk is busy, share one sync (group commit).
"""

import asyncio
import copy
import time
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, cast

import msgspec
from tinydb import TinyDB
from tinydb.table import Document, Table
from typing_extensions import override

from clients_register.handlers.store.journaled.journal import Changes, encode_change
from clients_register.handlers.store.journaled.storage import JournalStorage

Action = Callable[[], None]

# With a fast disk, switching to a thread and back takes longer than a write. A single write is
# therefore made on the event loop if the previous one took less than this, in seconds; for a single
# caller, the write of a registration then takes a quarter less time.
FAST_WRITE = 0.001


class JournaledTable(Table):
    """A table whose operations cost no more in a large table, except queries of all documents.

    TinyDB performs each operation on the mappings that `_read_table` and `_update_table` provide.
    """

    def __init__(self, storage: JournalStorage, name: str, indexed: Iterable[str] = ()) -> None:
        """`indexed` are the paths of fields, such as `client.id`; see `find`."""
        # A cache of queries would not notice a commit.
        super().__init__(storage, name, cache_size=0)
        self._journal_storage = storage
        self._indexes = {path: Index(path, self._stored) for path in indexed}

    def find(self, path: str, value: object) -> list[Document]:
        """Returns the durable documents whose field at `path` equals `value`, using its index."""
        ids = self._indexes[path].find(value)
        return [Document(_decode(self._stored[each]), each) for each in ids]

    def values(self, path: str) -> Collection[Any]:
        """Returns the values that an indexed field has in durable documents."""
        return self._indexes[path].values()

    def ids(self) -> Collection[int]:
        """Returns the ids of the durable documents."""
        return self._stored.keys()

    def update_indexes(self, changed: Mapping[int, bytes | None]) -> None:
        """Prepares the indexes for a change of the stored documents, which has to follow."""
        for index in self._indexes.values():
            for doc_id, document in changed.items():
                index.replace(doc_id, self._stored.get(doc_id), document)

    @property
    def _stored(self) -> Mapping[int, bytes]:
        return self._journal_storage.tables.setdefault(self.name, {})

    @override
    def _read_table(self) -> dict[str, Mapping[str, Any]]:
        changes = self._journal_storage.changes or {}
        return cast(
            dict[str, Mapping[str, Any]], _ReadView(self._stored, changes.get(self.name, {}))
        )

    @override
    def _update_table(self, updater: Callable[[dict[int, Mapping[str, Any]]], None]) -> None:
        changes = self._journal_storage.changes
        if changes is None:
            raise RuntimeError("expected a change in a transaction, found no open one")
        view = _WriteView(self._stored, changes.setdefault(self.name, {}))
        updater(cast(dict[int, Mapping[str, Any]], view))
        view.save()


class _ReadView(Mapping[str, dict[str, Any]]):
    """The documents of a table by id as text, as TinyDB reads them."""

    def __init__(self, stored: Mapping[int, bytes], changes: Mapping[int, bytes | None]) -> None:
        self._stored = stored
        self._changes = changes

    def encoded(self, doc_id: int) -> bytes | None:
        """Returns the JSON of a document."""
        if doc_id in self._changes:
            return self._changes[doc_id]
        return self._stored.get(doc_id)

    def ids(self) -> Iterator[int]:
        """Yields the ids of all documents."""
        new = [each for each in self._changes if each not in self._stored]
        return (each for each in chain(self._stored, new) if self.encoded(each) is not None)

    @override
    def __getitem__(self, key: str) -> dict[str, Any]:
        encoded = self.encoded(int(key))
        if encoded is None:
            raise KeyError(key)
        return _decode(encoded)

    @override
    def __iter__(self) -> Iterator[str]:
        return map(str, self.ids())

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self.ids()) if self._changes else len(self._stored)


class _WriteView(MutableMapping[int, dict[str, Any]]):
    """The documents of a table by id, as TinyDB changes them, also in place."""

    def __init__(self, stored: Mapping[int, bytes], changes: dict[int, bytes | None]) -> None:
        self._before = _ReadView(stored, changes)
        self._stored = stored
        self._changes = changes
        # Documents that were read, and may be changed in place, or set; None for those removed.
        self._decoded: dict[int, dict[str, Any] | None] = {}

    def save(self) -> None:
        """Adds the documents that differ from before to the changes."""
        for doc_id, document in self._decoded.items():
            if document is not None:
                encoded = msgspec.json.encode(document)
                if encoded != self._before.encoded(doc_id):
                    self._changes[doc_id] = encoded
            elif doc_id in self._stored:
                self._changes[doc_id] = None
            else:
                self._changes.pop(doc_id, None)

    @override
    def __contains__(self, doc_id: object) -> bool:
        # TinyDB only asks for ids; without decoding the document.
        doc_id = cast(int, doc_id)
        if doc_id in self._decoded:
            return self._decoded[doc_id] is not None
        return self._before.encoded(doc_id) is not None

    @override
    def __getitem__(self, doc_id: int) -> dict[str, Any]:
        if doc_id not in self:
            raise KeyError(doc_id)
        document = self._decoded.get(doc_id)
        if document is None:
            document = self._decoded[doc_id] = self._before[str(doc_id)]
        return document

    @override
    def __setitem__(self, doc_id: int, document: dict[str, Any]) -> None:
        self._decoded[doc_id] = document

    @override
    def __delitem__(self, doc_id: int) -> None:
        if doc_id not in self:
            raise KeyError(doc_id)
        self._decoded[doc_id] = None

    @override
    def clear(self) -> None:
        self._decoded = dict.fromkeys(self)

    @override
    def __iter__(self) -> Iterator[int]:
        new = [each for each in self._decoded if self._before.encoded(each) is None]
        return (each for each in chain(self._before.ids(), new) if each in self)

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)


class Index:
    """The documents of a table by a field, if its value is a string, a number or a boolean."""

    def __init__(self, path: str, documents: Mapping[int, bytes]) -> None:
        """`path` is a name, or several with dots, such as `client.id`."""
        self._names = path.split(".")
        self._decoder = _field_decoder(self._names)
        # Most values occur once, and a set takes 200 bytes.
        self._ids: dict[Any, int | set[int]] = {}
        for doc_id, document in documents.items():
            self.replace(doc_id, None, document)

    def find(self, value: object) -> Collection[int]:
        """Returns the ids of the documents with that value."""
        ids = self._ids.get(value, set())
        return (ids,) if isinstance(ids, int) else ids

    def values(self) -> Collection[Any]:
        """Returns all values."""
        return self._ids.keys()

    def replace(self, doc_id: int, before: bytes | None, after: bytes | None) -> None:
        """Replaces the value of a document."""
        old, new = self._value(before), self._value(after)
        if old == new:
            return
        if old is not None:
            self._remove(old, doc_id)
        if new is not None:
            self._add(new, doc_id)

    def _add(self, value: object, doc_id: int) -> None:
        ids = self._ids.setdefault(value, doc_id)
        if isinstance(ids, set):
            ids.add(doc_id)
        elif ids != doc_id:
            self._ids[value] = {ids, doc_id}

    def _remove(self, value: object, doc_id: int) -> None:
        ids = self._ids[value]
        if isinstance(ids, set) and len(ids) > 1:
            ids.remove(doc_id)
        else:
            del self._ids[value]

    def _value(self, document: bytes | None) -> Any:
        if document is None:
            return None
        try:
            found: Any = self._decoder.decode(document)
        except msgspec.ValidationError:
            return None
        for name in self._names:
            found = getattr(found, name, None)
        return None if isinstance(found, list | dict) else found


def _field_decoder(names: Sequence[str]) -> msgspec.json.Decoder[Any]:
    """Returns a decoder of objects that skips all but one field, which is much faster."""
    kind: Any = Any
    for name in reversed(names):
        kind = msgspec.defstruct("Object", [(name, kind | None if kind is not Any else Any, None)])
    return msgspec.json.Decoder(kind)


def _decode(encoded: bytes) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(encoded)
    return document


class JournaledTinyDB(TinyDB):
    """A database in a file, for one process and one event loop. See `JournalStorage`."""

    table_class = JournaledTable  # type: ignore[assignment]

    def __init__(self, path: Path, **options: Any) -> None:
        """Opens or creates a file; `options` are those of `JournalStorage`."""
        super().__init__(path, storage=JournalStorage, **options)
        self._commits = GroupCommit(self.storage.append, self._compact)

    @property
    @override
    def storage(self) -> JournalStorage:
        return cast(JournalStorage, self._storage)

    @override
    def table(self, name: str, **options: Any) -> JournaledTable:
        """Returns a table; `options` of the first call are those of `JournaledTable`."""
        return cast(JournaledTable, super().table(name, **options))

    @contextmanager
    def transaction(self) -> Iterator["Transaction"]:
        """Collects the changes that tables make in the context, in which nothing may be awaited.

        They are lost if the transaction is not committed.
        """
        if self.storage.changes is not None:
            raise RuntimeError("expected no open transaction, found one")
        changes = self.storage.changes = {}
        try:
            yield Transaction(self, changes)
        finally:
            self.storage.changes = None

    def submit(self, changes: Changes, on_end: Action | None) -> asyncio.Future[None]:
        """See `Transaction.commit`."""
        return self._commits.submit(encode_change(changes), lambda: self._apply(changes), on_end)

    async def idle(self) -> None:
        """Waits until no commit is pending."""
        await self._commits.idle()

    def _apply(self, changes: Changes) -> None:
        for name, changed in changes.items():
            self.table(name).update_indexes(changed)
        self.storage.apply(changes)

    def _compact(self) -> None:
        """Starts a compaction if due. Called between writes, when memory equals the files."""
        if self.storage.is_large:
            compact_in_background = self.storage.begin_compaction()
            asyncio.get_running_loop().run_in_executor(None, compact_in_background)


class Transaction:
    """The changes of a transaction. See `JournaledTinyDB.transaction`."""

    def __init__(self, database: JournaledTinyDB, changes: Changes) -> None:
        self._database = database
        self._changes = changes

    def commit(self, on_end: Action | None = None) -> asyncio.Future[None]:
        """Submits the changes; to be called once, after the context.

        The future resolves once they are durable and visible, or fails with OSError if they are
        neither. Transactions take effect in the order of these calls. `on_end` is called when the
        write ends, even if the caller was cancelled.
        """
        if any(self._changes.values()):
            return self._database.submit(self._changes, on_end)
        if on_end is not None:
            on_end()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


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
