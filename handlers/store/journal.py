"""The journal: an append-only file of what changed since the snapshot of its generation.

Its first line gives its format and its generation. Each further line is one write, of one or more
changes that were made durable together, with a checksum of all changes up to its end, so that no
line can be altered, lost or moved unnoticed:

    {"format": "clients-register journal", "version": 2, "generation": 7}
    {"crc32": "9c25d1f0", "changes": [{"users":{"1001":{...}}}]}

A write begins when the one before it is durable. A power cut can therefore damage the last line
only: it may end early, or have zeros in place of sectors that did not reach the disk.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from clients_register.handlers.store.disk import Disk, File

FORMAT = "clients-register journal"
VERSION = 2


def path_of(data_file: Path, generation: int) -> Path:
    """Where the journal of `generation` stands, beside the data file."""
    return data_file.with_name(f"{data_file.name}.journal.{generation}")


def first_line(generation: int) -> bytes:
    """What a journal of `generation` begins with."""
    head = f'{{"format": "{FORMAT}", "version": {VERSION}, "generation": {generation}}}\n'
    return head.encode()


def line_of(changes: Iterable[bytes], before: int) -> tuple[bytes, int]:
    """The line of `changes` where `before` is the checksum so far, and the checksum after it."""
    content = b",".join(changes)
    checksum = crc32(content, before)
    return b'{"crc32": "%08x", "changes": [%b]}\n' % (checksum, content), checksum


@dataclass(frozen=True, slots=True)
class Valid:
    """The valid part of a journal: up to byte `end`, with `checksum` there.

    `last` is the end of it, with the last write, and `torn` the number of bytes that follow.
    """

    end: int = 0
    checksum: int = 0
    last: bytes = b""
    torn: int = 0


class Journal:
    """Appends to the journal of one generation; the file is made by the first change.

    One thread at a time may be in it.
    """

    def __init__(self, path: Path, generation: int, disk: Disk, found: Valid | None = None) -> None:
        """`found` is the valid part of the file, if there is one; then `cut` comes first."""
        self.path = path
        self.generation = generation
        self.found = found
        self.end = found.end if found else 0
        self.checksum = found.checksum if found else 0
        self._disk = disk
        self._file: File | None = None
        self._torn = False
        self._listed = self.end > 0

    def append(self, changes: Iterable[bytes]) -> None:
        """Returns when all `changes` are durable. If it raises OSError, none of them is.

        A write that fails is cut off at once. If that fails too, the next call cuts it off before
        it writes anything. Until then, a crash may leave the write that failed, whole or not.
        """
        if self._torn:
            self._mend()
        content, checksum = b"", self.checksum
        if not self.end:
            content = first_line(self.generation)
            checksum = crc32(content)
        line, checksum = line_of(changes, checksum)
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
        """Shortens the file to its valid part, durably. Raises OSError."""
        file = self._opened()
        file.truncate(self.end)
        if self.found:
            # The process that wrote it may have ended before a sync, or because of one that failed.
            file.rewrite(self.end - len(self.found.last), self.found.last)
        file.sync()
        self.found = None
        self._torn = False

    def successor(self, data_file: Path) -> "Journal":
        """The journal of the next generation, which is not there yet."""
        generation = self.generation + 1
        return Journal(path_of(data_file, generation), generation, self._disk)

    def remove(self) -> None:
        """Removes the file, if there is one. Raises OSError."""
        self._disk.unlink(self.path)

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, content: bytes) -> None:
        file = self._opened()
        file.write(content)
        file.sync()
        if not self._listed:
            self._disk.sync_directory(self.path.parent)
            self._listed = True

    def _opened(self) -> File:
        if self._file is None:
            self._file = self._disk.open(self.path)
        return self._file

    def _mend(self) -> None:
        try:
            self.cut()
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror}: a write to the journal failed, and what it left behind byte"
                f" {self.end} cannot be cut off; nothing is stored until it can",
                str(self.path),
            ) from error
