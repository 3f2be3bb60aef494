"""The journal: an append-only file of the changes since the snapshot of its generation.

Its first line states format and generation. Each further line is one write of one or more changes,
with a checksum of all changes so far, so that altered, lost or moved lines are detected:

    {"format": "tinydb journal", "version": 1, "generation": 7}
    {"crc32": "9c25d1f0", "changes": [{"users":{"1001":{...}},"sessions":{"17":null}}]}

A write begins once the previous one is durable. A power failure can therefore damage only the last
line: it may end early, or contain zeros in place of what was not written. Any other damage, each
single flipped bit included, is detected.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from errno import ESTALE
from pathlib import Path
from typing import Any, Never
from zlib import crc32

import msgspec

from clients_register.handlers.store.journaled.disk import Disk, File, Version

# The documents of a table by id, each encoded as JSON.
Documents = dict[int, bytes]

# The documents that a write changes, by table and id; None for those it removes.
Change = Mapping[str, Mapping[int, bytes | None]]

FORMAT = "tinydb journal"
VERSION = 1

_LINE = re.compile(rb'\{"crc32": "([0-9a-f]{8})", "changes": \[(.*)\]\}', re.DOTALL)
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")

# Ids of documents are below this number.
MAX_ID = 10**19

_Tables = dict[str, dict[str, msgspec.Raw]]
_TABLES = msgspec.json.Decoder(_Tables)
_CHANGES = msgspec.json.Decoder(list[_Tables])


class FileReplaced(OSError):
    """Another program has removed, replaced or changed a file that is in use."""

    @classmethod
    def at(cls, path: Path) -> "FileReplaced":
        """Returns the error for the file at `path`."""
        return cls(
            ESTALE,
            f"another program removed, replaced or changed {path} while it was in use; nothing is"
            " stored any more until the server is restarted",
        )


class InvalidJSON(ValueError):
    """The content of a file is not JSON; the message says why."""


def decode_tables(content: bytes) -> dict[str, Documents]:
    """Decodes an object of tables. Raises InvalidJSON, or ValueError for any other JSON."""
    _check_json(content)
    try:
        decoded = _TABLES.decode(content)
    except msgspec.ValidationError:
        raise ValueError("expected an object of tables, found something else") from None
    except msgspec.DecodeError as error:
        # The rest is JSON.
        raise InvalidJSON(f"a string contains a lone surrogate: {error}") from None
    tables: dict[str, Documents] = {}
    for name, table in decoded.items():
        tables[name] = documents = {}
        for doc_id, document in _decode_items(name, table).items():
            if document is None:
                raise ValueError(f"{_place(name, doc_id)}: expected an object, found null")
            documents[doc_id] = document
    return tables


def encode_change(change: Change) -> bytes:
    """Encodes `change` as JSON on one line."""
    return b"{%b}" % b",".join(
        b"%b:{%b}" % (msgspec.json.encode(name), b",".join(map(_encode_item, table.items())))
        for name, table in change.items()
        if table
    )


def apply_change(change: Change, tables: dict[str, Documents]) -> None:
    """Applies `change` to `tables`. Raises ValueError if it removes what does not exist."""
    for name, changed in change.items():
        documents = tables.setdefault(name, {})
        for doc_id, document in changed.items():
            if document is not None:
                documents[doc_id] = document
            elif documents.pop(doc_id, None) is None:
                raise ValueError(
                    f"{_place(name, doc_id)}: expected a document to remove, found none"
                )


def _check_json(content: bytes) -> None:
    """Raises InvalidJSON, also if an object has a name twice: one member would be lost silently."""
    try:
        json.loads(
            content.decode(),
            object_pairs_hook=_check_names,
            parse_constant=_refuse_number,
            parse_float=_check_float,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidJSON(str(error)) from None


def _check_names(members: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in members}) < len(members):
        raise ValueError("an object has duplicate names")


def _check_float(text: str) -> None:
    if math.isinf(float(text)):
        _refuse_number("a number that is too large")


def _refuse_number(text: str) -> Never:
    raise ValueError(f"expected a number, found {text}")


def _decode_items(name: str, table: Mapping[str, msgspec.Raw]) -> dict[int, bytes | None]:
    """Decodes the documents of a table; None for null."""
    items: dict[int, bytes | None] = {}
    for key, raw in table.items():
        if not _NUMBER.fullmatch(key):
            raise ValueError(f"{_place(name)}: expected ids of documents, found another name")
        document = bytes(raw)
        if document == b"null":
            items[int(key)] = None
            continue
        if not document.startswith(b"{"):
            raise ValueError(f"{_place(name, key)}: expected an object, found something else")
        if b"\n" in document:
            # Indented by hand, it would take several lines of a snapshot.
            document = msgspec.json.format(document, indent=-1)
        items[int(key)] = document
    return items


def _place(name: str, doc_id: object = None) -> str:
    """Returns the place of a document, or of a table. The name of a table can be any text."""
    table = name if name.isidentifier() else ascii(name[:40])
    return table if doc_id is None else f"{table}.{doc_id}"


def _encode_item(item: tuple[int, bytes | None]) -> bytes:
    doc_id, document = item
    return b'"%d":%b' % (doc_id, b"null" if document is None else document)


def _decode_changes(array: bytes) -> list[Change]:
    """Decodes a JSON array of changes. Raises ValueError."""
    _check_json(array)
    try:
        return [
            {name: _decode_items(name, table) for name, table in tables.items()}
            for tables in _CHANGES.decode(array)
        ]
    except msgspec.DecodeError:
        raise ValueError("expected changes of documents, found something else") from None


def journal_path(data_file: Path, generation: int) -> Path:
    """Returns the path of the journal of `generation`, next to the data file."""
    return data_file.with_name(f"{data_file.name}.journal.{generation}")


def find_version(path: Path, disk: Disk) -> Version | None:
    """Returns the version of the file; None if there is none. Raises OSError."""
    try:
        return disk.version(path)
    except FileNotFoundError:
        return None


def encode_head(generation: int) -> bytes:
    """Returns the first line of a journal."""
    head = f'{{"format": "{FORMAT}", "version": {VERSION}, "generation": {generation}}}\n'
    return head.encode()


def encode_line(changes: Iterable[bytes], checksum: int) -> tuple[bytes, int]:
    """Returns the line of `changes`, and the checksum after it. `checksum` is the one before it."""
    content = b",".join(changes)
    checksum = crc32(content, checksum)
    return b'{"crc32": "%08x", "changes": [%b]}\n' % (checksum, content), checksum


@dataclass(frozen=True, slots=True)
class ValidPart:
    """The valid part of a journal file, which ends at byte `end` with `checksum`.

    `last` is its last write, and `torn` the number of bytes after it.
    """

    end: int = 0
    checksum: int = 0
    last: bytes = b""
    torn: int = 0


class Journal:
    """The journal of one generation; the first write creates the file. Not thread-safe.

    `is_lost` says whether another program was found to have removed or replaced the file.
    """

    def __init__(
        self, data_file: Path, generation: int, disk: Disk, found: ValidPart | None = None
    ) -> None:
        """`found` is the valid part of an existing file; then `cut` has to be called first."""
        self.path = journal_path(data_file, generation)
        self._data_file = data_file
        self.generation = generation
        self.found = found
        self.end = found.end if found else 0
        self.checksum = found.checksum if found else 0
        self._disk = disk
        self._file: File | None = None
        # The version of the file when it was closed.
        self._closed_version: Version | None = None
        self.is_lost = False
        self._torn = False
        self._name_is_durable = self.end > 0

    def append(self, changes: Iterable[bytes]) -> None:
        """Returns when all encoded `changes` are durable. If it raises OSError, none of them is.

        Raises FileReplaced if another program has removed or replaced the file.

        A failed write is cut off immediately. If that fails as well, the next call tries again
        before it writes. Until then, a crash may leave the failed write in the file, in whole or in
        part.
        """
        self.check()
        if self._torn:
            self._repair()
        content, checksum = b"", self.checksum
        if not self.end:
            content = encode_head(self.generation)
            checksum = crc32(content)
        line, checksum = encode_line(changes, checksum)
        content += line
        try:
            self._write(content)
        except BaseException:
            self._torn = True
            with suppress(OSError):
                self.cut()
            raise
        self.end += len(content)
        self.checksum = checksum

    def cut(self) -> None:
        """Truncates the file to its valid part, durably. Raises OSError."""
        file = self._open()
        file.truncate(self.end)
        if self.found:
            # The process that wrote it may have ended before the sync, or because the sync failed.
            file.rewrite(self.end - len(self.found.last), self.found.last)
        file.sync()
        self.found = None
        self._torn = False

    def successor(self) -> "Journal":
        """Returns the journal of the next generation, which has no file yet."""
        return Journal(self._data_file, self.generation + 1, self._disk)

    def remove(self) -> None:
        """Removes the file, if it exists and is not another one by now. Raises OSError."""
        with suppress(FileReplaced):
            self.check()
            self._disk.unlink(self.path)

    def check(self) -> None:
        """Raises FileReplaced if the path of the file does not lead to it, or once did not."""
        if self._file is not None:
            self.is_lost = self.is_lost or not self._file.is_at(self.path)
        elif self._closed_version is not None:
            found = find_version(self.path, self._disk)
            self.is_lost = self.is_lost or found != self._closed_version
        if self.is_lost:
            raise FileReplaced.at(self.path)

    def close(self) -> None:
        """Closes the file; the next write opens it again."""
        if self._file is not None:
            with suppress(OSError):
                self.check()
                self._closed_version = self._disk.version(self.path)
            self._file.close()
            self._file = None

    def _write(self, content: bytes) -> None:
        file = self._open()
        file.write(content)
        file.sync()
        self.check()
        if not self._name_is_durable:
            self._disk.sync_directory(self.path.parent)
            self._name_is_durable = True

    def _open(self) -> File:
        if self._file is not None:
            return self._file
        is_new = not self.end and not self.found
        file = self._disk.open(self.path)
        # The version of the path, once it was opened: that may have created another file.
        if self._closed_version not in (None, self._disk.version(self.path)):
            self.is_lost = True
            file.close()
            raise FileReplaced.at(self.path)
        self._file = file
        if is_new:
            file.set_permissions(self._disk.permissions(self._data_file))
        return file

    def _repair(self) -> None:
        try:
            self.cut()
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror}: a write to the journal failed, and what it left after byte"
                f" {self.end} cannot be cut off; nothing is stored until it can",
                str(self.path),
            ) from error


def replay(content: bytes, generation: int, tables: dict[str, Documents]) -> ValidPart:
    """Applies the changes of a journal file to `tables`.

    The last line is ignored if it is torn, because its write was interrupted and never
    acknowledged. Raises ValueError, which says where the journal is damaged, what was expected and
    found.
    """
    lines = content.split(b"\n")
    torn = lines.pop()
    if lines and not torn and b"\0" in lines[-1]:
        torn = lines.pop() + b"\n"
    if not _may_be_torn(torn):
        lines.append(torn.removesuffix(b"\n"))
        torn = b""
    end = checksum = 0
    for number, line in enumerate(lines, start=1):
        try:
            if number == 1:
                checksum = _check_head(line, generation)
            else:
                checksum = _replay_line(line, checksum, tables)
        except ValueError as error:
            raise ValueError(f"line {number}, at byte {end}: {error}") from None
        end += len(line) + 1
    # The first write is two lines.
    begin = end - sum(len(line) + 1 for line in lines[-2:])
    return ValidPart(end, checksum, content[begin:end], len(torn))


def _may_be_torn(line: bytes) -> bool:
    """Whether an interrupted write may have left `line`; a flipped bit does not leave such a line.

    A bit makes a line feed another character, or a space a zero. What was not written is the
    beginning or the end of a line, or a sector in it.
    """
    if line[-1:] not in (b"\n", b"\0") and _LINE.fullmatch(line[:-1]):
        return False
    return line.count(0) != 1 or line.index(0) in (0, len(line) - 1)


def _check_head(line: bytes, generation: int) -> int:
    expected = encode_head(generation)
    if line + b"\n" != expected:
        actual = _find_generation(line)
        found = "something else" if actual is None else f"one of generation {actual}"
        raise ValueError(
            f"expected the head of a journal of generation {generation}, found {found}"
        )
    return crc32(expected)


def _find_generation(line: bytes) -> object:
    try:
        head = json.loads(line)
        return head["generation"] if head["format"] == FORMAT else None
    except (ValueError, RecursionError, LookupError, TypeError):
        return None


def _replay_line(line: bytes, checksum: int, tables: dict[str, Documents]) -> int:
    parts = _LINE.fullmatch(line)
    if parts is None:
        raise ValueError("expected changes and a checksum, found something else")
    checksum = crc32(parts[2], checksum)
    if checksum != int(parts[1], 16):
        raise ValueError(f"expected the checksum {parts[1].decode()}, found {checksum:08x}")
    for change in _decode_changes(b"[%b]" % parts[2]):
        apply_change(change, tables)
    return checksum
