"""Tables of a journaled TinyDB: views of documents and changes, on which TinyDB operates; indexes.

A document is kept as JSON and decoded when it is read.
"""

from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from typing import Any, Never, TypeVar, cast

import msgspec
from tinydb.table import Table
from typing_extensions import override

from clients_register.handlers.store.journaled.journal import MAX_ID, Change
from clients_register.handlers.store.journaled.snapshot import GENERATION
from clients_register.handlers.store.journaled.storage import JournalStorage

Changes = dict[str, dict[int, bytes | None]]
T = TypeVar("T")


class ChangeLayers:
    """The changes that are not durable yet: those of pending commits and of the open transaction.

    For a document that several pending commits change, it keeps the last change.
    """

    def __init__(self) -> None:
        self.open: Changes | None = None
        self._pending: Changes = {}

    def visible(self, name: str) -> Sequence[Mapping[int, bytes | None]]:
        """Returns the changes of a table that are visible now, the oldest first."""
        if self.open is None:
            return ()
        return self._pending.get(name, {}), self.open.get(name, {})

    def add_pending(self, changes: Change) -> None:
        """Adds the changes of a commit."""
        for name, changed in changes.items():
            self._pending.setdefault(name, {}).update(changed)

    def remove_pending(self, changes: Change) -> None:
        """Removes the changes of a commit that ended, unless a later one replaced them."""
        for name, changed in changes.items():
            pending = self._pending.get(name, {})
            for doc_id, document in changed.items():
                if doc_id in pending and pending[doc_id] is document:
                    del pending[doc_id]


class JournaledTable(Table):
    """A table whose operations cost no more in a large table, except queries of all documents.

    TinyDB performs each operation on the mappings that `_read_table` and `_update_table` provide.
    """

    def __init__(
        self,
        storage: JournalStorage,
        name: str,
        *,
        layers: ChangeLayers,
        indexed: Iterable[str] = (),
    ) -> None:
        """`indexed` are the paths of fields, such as `client.id`; see `find`."""
        if name == GENERATION:
            raise ValueError(
                f"expected another name for a table, found {name!r}, which is reserved"
            )
        # A cache of queries would not notice a commit.
        super().__init__(storage, name, cache_size=0)
        self._tables = storage.tables
        self._layers = layers
        self._indexes = {path: Index(path, self._stored) for path in indexed}

    def put(self, doc_id: int, encoded: bytes) -> None:
        """Stores a document, which must be the JSON of an object; that is not checked.

        Replaces a document with the same id; `upsert` would merge them. Raises ValueError for an id
        that a file cannot contain.
        """
        _check_id(doc_id)
        self._open_changes()[doc_id] = encoded

    # These methods see only durable documents, also in a transaction.

    def dump(self) -> Mapping[int, bytes]:
        """Returns the JSON of all documents, by id."""
        return {**self._stored}

    def restore(self, documents: Mapping[int, bytes]) -> None:
        """Makes `documents`, which `dump` has returned, the only ones; writes only what differs.

        Expects that no other commit is pending.
        """
        changes = self._open_changes()
        changes.update(dict.fromkeys(self._stored.keys() - documents.keys()))
        for doc_id, encoded in documents.items():
            if self._stored.get(doc_id) != encoded:
                changes[doc_id] = encoded

    def find(self, path: str, value: object) -> Collection[int]:
        """Returns the ids of the documents whose field at `path` equals `value`, by its index."""
        return self._indexes[path].find(value)

    def values(self, path: str) -> Collection[Any]:
        """Returns the values that an indexed field has."""
        return self._indexes[path].values()

    def ids(self) -> Collection[int]:
        """Returns the ids of all documents."""
        return self._stored.keys()

    def load(self, doc_id: int, kind: type[T]) -> T | None:
        """Decodes a document into `kind`, such as a struct; faster than `get`."""
        encoded = self._stored.get(doc_id)
        return None if encoded is None else msgspec.json.decode(encoded, type=kind)

    def load_all(self, kind: type[T]) -> list[T]:
        """Decodes all documents into `kind`, in the order of their ids; faster than `all`."""
        return [msgspec.json.decode(each, type=kind) for _, each in sorted(self._stored.items())]

    def update_indexes(self, changed: Mapping[int, bytes | None]) -> None:
        """Prepares the indexes for a change of the stored documents, which has to follow."""
        for index in self._indexes.values():
            for doc_id, document in changed.items():
                index.replace(doc_id, self._stored.get(doc_id), document)

    @property
    def _stored(self) -> Mapping[int, bytes]:
        return self._tables.get(self._name, {})

    @override
    def _read_table(self) -> dict[str, Mapping[str, Any]]:
        view = _ReadView(self._stored, self._layers.visible(self.name))
        return cast(dict[str, Mapping[str, Any]], view)

    @override
    def _update_table(self, updater: Callable[[dict[int, Mapping[str, Any]]], None]) -> None:
        own = self._open_changes()
        pending, _ = layers = self._layers.visible(self.name)
        before = _ReadView(self._stored, (pending,))
        view = _WriteView(_ReadView(self._stored, layers))
        updater(cast(dict[int, Mapping[str, Any]], view))
        for doc_id, document in view.changes().items():
            if document is None and before.encoded(doc_id) is None:
                # It was inserted by the same transaction.
                del own[doc_id]
            else:
                own[doc_id] = document

    def _open_changes(self) -> dict[int, bytes | None]:
        """Returns the changes of this table by the open transaction."""
        if self._layers.open is None:
            refuse("a change outside one")
        return self._layers.open.setdefault(self.name, {})


class _ReadView(Mapping[str, dict[str, Any]]):
    """The documents of a table by id as text, as TinyDB reads them."""

    def __init__(
        self, stored: Mapping[int, bytes], layers: Sequence[Mapping[int, bytes | None]]
    ) -> None:
        """`layers` are changes, the oldest first."""
        self._stored = stored
        self._layers = layers

    def encoded(self, doc_id: int) -> bytes | None:
        """Returns the JSON of a document."""
        for layer in reversed(self._layers):
            if doc_id in layer:
                return layer[doc_id]
        return self._stored.get(doc_id)

    def ids(self) -> Iterator[int]:
        """Yields the ids of all documents."""
        # A list, because a commit may end while a caller goes through it.
        known = list(dict.fromkeys(each for part in (self._stored, *self._layers) for each in part))
        return (each for each in known if self.encoded(each) is not None)

    @override
    def __getitem__(self, key: str) -> dict[str, Any]:
        encoded = self.encoded(int(key)) if key.isdecimal() else None
        if encoded is None:
            raise KeyError(key)
        return _decode(encoded)

    @override
    def __iter__(self) -> Iterator[str]:
        return map(str, self.ids())

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self.ids()) if any(self._layers) else len(self._stored)


class _WriteView(MutableMapping[int, dict[str, Any]]):
    """The documents of a table by id, as TinyDB changes them, also in place."""

    def __init__(self, before: _ReadView) -> None:
        self._before = before
        # Documents that were read, and may be changed in place, or set; None for those removed.
        self._decoded: dict[int, dict[str, Any] | None] = {}

    def changes(self) -> dict[int, bytes | None]:
        """Returns the documents that differ from before. Raises ValueError for invalid ones."""
        changes: dict[int, bytes | None] = {}
        for doc_id, document in self._decoded.items():
            before = self._before.encoded(doc_id)
            if document is None:
                if before is not None:
                    changes[doc_id] = None
                continue
            encoded = _encode(doc_id, document)
            # A document that is only read is not changed by another spelling of the same JSON.
            if before is None or encoded not in (before, msgspec.json.encode(_decode(before))):
                changes[doc_id] = encoded
        return changes

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
        known = dict.fromkeys([*self._before.ids(), *self._decoded])
        return (each for each in known if each in self)

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)


class Index:
    """The documents of a table by a field, if its value is a string, a number or a boolean."""

    def __init__(self, path: str, documents: Mapping[int, bytes]) -> None:
        """`path` is a name, or several with dots, such as `client.id`."""
        self._depth = path.count(".") + 1
        self._decoder = _field_decoder(path.split("."))
        # Most values occur once, and a set takes 200 bytes.
        self._ids: dict[Any, int | set[int]] = {}
        for doc_id, document in documents.items():
            self.replace(doc_id, None, document)

    def find(self, value: object) -> Collection[int]:
        """Returns the ids of the documents with that value."""
        ids = self._ids.get(value, set())
        return (ids,) if isinstance(ids, int) else tuple(ids)

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
        for _ in range(self._depth):
            found = found and found.field
        return None if isinstance(found, list | dict) else found


def _field_decoder(names: Sequence[str]) -> msgspec.json.Decoder[Any]:
    """Returns a decoder of objects that skips all but one field, which is much faster."""
    kind: Any = Any
    for name in reversed(names):
        kind = msgspec.defstruct("Object", [("field", kind | None, None)], rename={"field": name})
    return msgspec.json.Decoder(kind)


def _decode(encoded: bytes) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(encoded)
    return document


def _encode(doc_id: int, document: dict[str, Any]) -> bytes:
    """Encodes a document. Raises ValueError if it could not be read back equal."""
    _check_id(doc_id)
    encoded = msgspec.json.encode(document)
    if _decode(encoded) != document:
        raise ValueError("expected a document of JSON values, found other keys or numbers")
    return encoded


def _check_id(doc_id: int) -> None:
    if type(doc_id) is not int or not 0 < doc_id < MAX_ID:
        raise ValueError(f"expected an id from 1 to {MAX_ID - 1}, found {doc_id!r:.40}")


def refuse(found: str) -> Never:
    """Raises RuntimeError for an operation that needs a transaction."""
    raise RuntimeError(f"expected a transaction: `with database.transaction()`; found {found}")
