"""The journal: an append-only file of the changes since the snapshot of its generation.

Its first line states format and generation. Each further line is one write of one or more changes,
with a checksum of all changes so far, so that altered, lost or moved lines are detected:

    {"format": "clients-register journal", "version": 2, "generation": 7}
    {"crc32": "9c25d1f0", "changes": [{"users":{"1001":{...}}}]}

A write begins once the previous one is durable. A power failure can therefore damage only the last
line: it may end early, or contain zeros for sectors that were not written.
"""

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from clients_register.handlers.store.codec import Misfit, decode_changes
from clients_register.handlers.store.contents import Contents
from clients_register.handlers.store.disk import Disk, File

FORMAT = "clients-register journal"
VERSION = 2

_LINE = re.compile(rb'\{"crc32": "([0-9a-f]{8})", "changes": \[(.*)\]\}', re.DOTALL)


def journal_path(data_file: Path, generation: int) -> Path:
    """Returns the path of the journal of `generation`, next to the data file."""
    return data_file.with_name(f"{data_file.name}.journal.{generation}")


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
    """The journal of one generation; the first write creates the file. Not thread-safe."""

    def __init__(
        self, path: Path, generation: int, disk: Disk, found: ValidPart | None = None
    ) -> None:
        """`found` is the valid part of an existing file; then `cut` has to be called first."""
        self.path = path
        self.generation = generation
        self.found = found
        self.end = found.end if found else 0
        self.checksum = found.checksum if found else 0
        self._disk = disk
        self._file: File | None = None
        self._torn = False
        self._name_is_durable = self.end > 0

    def append(self, changes: Iterable[bytes]) -> None:
        """Returns when all `changes` are durable. If it raises OSError, none of them is.

        A failed write is cut off immediately. If that fails as well, the next call tries again
        before it writes. Until then, a crash may leave the failed write in the file, in whole or in
        part.
        """
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
        except OSError:
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

    def successor(self, data_file: Path) -> "Journal":
        """Returns the journal of the next generation, which has no file yet."""
        generation = self.generation + 1
        return Journal(journal_path(data_file, generation), generation, self._disk)

    def remove(self) -> None:
        """Removes the file, if it exists. Raises OSError."""
        self._disk.unlink(self.path)

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, content: bytes) -> None:
        file = self._open()
        file.write(content)
        file.sync()
        if not self._name_is_durable:
            self._disk.sync_directory(self.path.parent)
            self._name_is_durable = True

    def _open(self) -> File:
        if self._file is None:
            self._file = self._disk.open(self.path)
        return self._file

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


class DamagedJournal(ValueError):
    """A journal is damaged; the message says where, what was expected and found."""


def replay(content: bytes, generation: int, contents: Contents) -> ValidPart:
    """Applies the changes of a journal file to `contents`.

    The last line is ignored if it is torn, which means that it is incomplete or contains zeros: its
    write was interrupted and never acknowledged. Raises DamagedJournal.
    """
    lines = content.split(b"\n")
    torn = lines.pop()
    if lines and not torn and b"\0" in lines[-1]:
        torn = lines.pop() + b"\n"
    end = checksum = 0
    for number, line in enumerate(lines, start=1):
        where = f"line {number}, at byte {end}"
        if number == 1:
            checksum = _check_head(line, generation, where)
        else:
            checksum = _replay_line(line, checksum, contents, where)
        end += len(line) + 1
    # The first write is two lines.
    begin = end - sum(len(line) + 1 for line in lines[-2:])
    return ValidPart(end, checksum, content[begin:end], len(torn))


def _check_head(line: bytes, generation: int, where: str) -> int:
    expected = encode_head(generation)
    if line + b"\n" != expected:
        actual = _find_generation(line)
        found = "something else" if actual is None else f"one of generation {actual}"
        raise DamagedJournal(
            f"{where}: expected the head of a journal of generation {generation}, found {found}"
        )
    return crc32(expected)


def _find_generation(line: bytes) -> object:
    try:
        head = json.loads(line)
        return head["generation"] if head["format"] == FORMAT else None
    except (ValueError, RecursionError, LookupError, TypeError):
        return None


def _replay_line(line: bytes, checksum: int, contents: Contents, where: str) -> int:
    parts = _LINE.fullmatch(line)
    if parts is None:
        raise DamagedJournal(f"{where}: expected changes and a checksum, found something else")
    checksum = crc32(parts[2], checksum)
    if checksum != int(parts[1], 16):
        raise DamagedJournal(
            f"{where}: expected the checksum {parts[1].decode()}, found {checksum:08x}"
        )
    try:
        for change in decode_changes(b"[%b]" % parts[2]):
            contents.apply(change)
    except Misfit as error:
        raise DamagedJournal(f"{where}: {error}") from None
    except (ValueError, RecursionError):
        raise DamagedJournal(f"{where}: expected JSON, found something else") from None
    return checksum
