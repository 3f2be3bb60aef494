"""Disks for tests of the file store: a simulated one, and one whose operations can be intercepted.

`SimulatedDisk` keeps files in memory and records every operation that changes something. A `Medium`
to which the operations are applied one by one knows at every point what is durable and what is only
in the cache, and enumerates the contents that a power cut may leave.

What a power cut may leave:

- any subset of the operations since the last sync, whatever their order was: of the writes to a
  file since the file was synced, and of the names since their directory was;
- of a write any part: a prefix that ends at any byte, or all but a run of sectors, in whose place
  are zeros if the file was shorter, as file systems leave where its length came to the disk first;
- bytes that were synced, and names whose directory was synced, always; a name that was replaced by
  a rename is the old file or the new one.

A sync that fails leaves what it was for in the cache, and no later sync makes it durable: Linux
marks the pages clean.

Not simulated: stale blocks of other files in place of zeros (ext4 mounted with `data=writeback`),
and damage of what was synced.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, combinations
from pathlib import Path
from typing import Any
from zlib import crc32

from clients_register.handlers.store.journaled.disk import LOCAL, Disk, File, Permissions, Version

# Disks write a sector of this size whole or not at all.
SECTOR = 512

# Stands for a directory where there are numbers of files.
DIRECTORY = 0

# The content of a disk: that of each file, None for a directory.
Image = Mapping[str, bytes | None]

EMPTY: Image = {"/": None}


@dataclass(frozen=True, slots=True)
class Operation:
    """One change. `file` is a number that stays with a file when it is renamed."""

    kind: str
    path: str
    file: int = 0
    offset: int = 0
    content: bytes = b""
    target: str = ""


class Medium:
    """The durable content, and the operations that are only in the cache, in order."""

    def __init__(self, image: Image) -> None:
        self.names: dict[str, int] = {}
        self.contents: dict[int, bytes] = {}
        for number, (path, content) in enumerate(image.items(), start=1):
            self.names[path] = DIRECTORY if content is None else number
            if content:
                self.contents[number] = content
        self.entries: list[Operation] = []
        self.writes: list[Operation] = []
        # Writes of which a sync failed: no later one makes them durable.
        self._dropped: list[Operation] = []

    def copy(self) -> "Medium":
        """The same, changing independently."""
        other = Medium({})
        other.names, other.contents = {**self.names}, {**self.contents}
        other.entries, other.writes = [*self.entries], [*self.writes]
        other._dropped = [*self._dropped]
        return other

    def apply(self, operation: Operation) -> None:
        """Makes the change, in the cache, or durable where it is a sync."""
        match operation.kind:
            case "write" | "truncate":
                self.writes.append(operation)
            case "sync":
                synced = [each for each in self.writes if each.file == operation.file]
                self.writes = [each for each in self.writes if each.file != operation.file]
                dropped = set(map(id, self._dropped))
                _write_all((each for each in synced if id(each) not in dropped), self.contents)
            case "failed sync":
                self._dropped += [each for each in self.writes if each.file == operation.file]
            case "sync_directory":
                synced = [each for each in self.entries if _parent(each.path) == operation.path]
                self.entries = [each for each in self.entries if each not in synced]
                _enter_all(synced, self.names)
            case _:
                self.entries.append(operation)

    def cache(self) -> tuple[dict[str, int], dict[int, bytes]]:
        """Names and contents as processes see them."""
        return self._with(self.entries, self.writes)

    def after_kill(self) -> Iterator["Medium"]:
        """Yields what a killed process may leave: the whole cache, or a part of the last write."""
        yield self
        if self.writes:
            last = self.writes[-1]
            half = self.copy()
            half.writes[-1] = replace(last, content=last.content[: len(last.content) // 2])
            yield half

    def after_torn(self, write: Operation) -> Iterator[Image]:
        """Yields what may be left if the last write ends at any of its bytes."""
        for end in range(1, len(write.content)):
            part = replace(write, content=write.content[:end])
            yield _image(*self._with(self.entries, [*self.writes[:-1], part]))
            yield _image(*self._with([], [part]))

    def after_power_cut(self) -> Iterator[Image]:
        """Yields what may be left. Writes are torn in halves, and at the ends of sectors."""
        for entries in _subsets(self.entries):
            for writes in _subsets(self.writes):
                yield _image(*self._with(entries, writes))
        all_or_none = [self.entries, []] if self.entries else [[]]
        for at, write in enumerate(self.writes):
            before, after = self.writes[:at], self.writes[at + 1 :]
            for parts in _parts(write):
                for entries in all_or_none:
                    yield _image(*self._with(entries, parts))
                    if before or after:
                        yield _image(*self._with(entries, [*before, *parts, *after]))

    def _with(
        self, entries: Iterable[Operation], writes: Iterable[Operation]
    ) -> tuple[dict[str, int], dict[int, bytes]]:
        names, contents = {**self.names}, {**self.contents}
        _enter_all(entries, names)
        _write_all(writes, contents)
        return names, contents


def _subsets(operations: Sequence[Operation]) -> Iterable[Sequence[Operation]]:
    assert len(operations) < 10, "too much is left unsynced to enumerate"
    sizes = range(len(operations) + 1)
    return chain.from_iterable(combinations(operations, size) for size in sizes)


def _enter_all(operations: Iterable[Operation], names: dict[str, int]) -> None:
    for each in operations:
        match each.kind:
            case "rename":
                names.pop(each.path, None)
                names[each.target] = each.file
            case "unlink":
                names.pop(each.path, None)
            case _:
                names[each.path] = each.file


def _write_all(operations: Iterable[Operation], contents: dict[int, bytes]) -> None:
    for each in operations:
        before = contents.get(each.file, b"")
        filled = before[: each.offset].ljust(each.offset, b"\0")
        if each.kind == "write":
            filled += each.content + before[each.offset + len(each.content) :]
        contents[each.file] = filled


def _parts(write: Operation) -> Iterator[Sequence[Operation]]:
    """Yields what a write may have left on the disk, apart from nothing and all of it."""
    content, length = write.content, len(write.content)
    if write.kind == "truncate":
        return
    for end in (1, length // 2, length - 1):
        yield [replace(write, content=content[:end])]
    # Sectors lie where the file has them, not where the write begins.
    first = SECTOR - write.offset % SECTOR
    bounds = [0, *range(first, length, SECTOR), length]
    for begin, end in combinations(bounds, 2):
        after = replace(write, offset=write.offset + end, content=content[end:])
        yield [replace(write, content=content[:begin]), after]


def _image(names: Mapping[str, int], contents: Mapping[int, bytes]) -> Image:
    # Without what is in a directory that is not there.
    return {
        path: None if file == DIRECTORY else contents.get(file, b"")
        for path, file in names.items()
        if _parent(path) in names
    }


@cache
def _parent(path: str) -> str:
    return str(Path(path).parent)


class SimulatedDisk(Disk):
    """See `Disk`. Files are in memory; `operations` are the changes since the beginning."""

    def __init__(self, medium: Medium) -> None:
        self.operations: list[Operation] = []
        self.entries, self.contents = medium.cache()
        self._last = max([*self.entries.values(), *self.contents, 0])

    def image(self) -> Image:
        """The content that processes see."""
        return _image(self.entries, self.contents)

    def make(self, kind: str, path: Path, **details: Any) -> None:
        """Makes a change, and records it."""
        operation = Operation(kind, str(path), **details)
        self.operations.append(operation)
        if kind in {"write", "truncate"}:
            _write_all([operation], self.contents)
        elif "sync" not in kind:
            _enter_all([operation], self.entries)

    def resolve(self, path: Path) -> Path:
        return path

    def exists(self, path: Path) -> bool:
        return str(path) in self.entries

    def is_file(self, path: Path) -> bool:
        return self.entries.get(str(path), DIRECTORY) != DIRECTORY

    def is_directory(self, path: Path) -> bool:
        return self.entries.get(str(path)) == DIRECTORY

    def names(self, directory: Path) -> list[str]:
        return [Path(path).name for path in self.entries if _parent(path) == str(directory)]

    def read(self, path: Path) -> bytes:
        return self.contents.get(self._number(path), b"")

    def version(self, path: Path) -> Version:
        content = self.read(path)
        return Version(0, self._number(path), len(content), crc32(content))

    def permissions(self, path: Path) -> Permissions:
        self._number(path)
        return Permissions(0o600, 0)

    def lock(self, path: Path) -> File | None:
        return None

    def make_directory(self, path: Path) -> None:
        if not self.exists(path):
            self.make("make_directory", path, file=DIRECTORY)

    def create(self, path: Path) -> File:
        if self.exists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        if not self.is_directory(path.parent):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        self._last += 1
        self.make("create", path, file=self._last)
        return SimulatedFile(self, path, self._last)

    def open(self, path: Path) -> File:
        if not self.exists(path):
            return self.create(path)
        return SimulatedFile(self, path, self._number(path))

    def rename(self, source: Path, target: Path) -> None:
        self.make("rename", source, file=self._number(source), target=str(target))

    def unlink(self, path: Path) -> None:
        if self.exists(path):
            self.make("unlink", path)

    def sync_directory(self, directory: Path) -> None:
        self.make("sync_directory", directory)

    def _number(self, path: Path) -> int:
        if not self.is_file(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return self.entries[str(path)]


class SimulatedFile(File):
    """See `File`."""

    def __init__(self, disk: SimulatedDisk, path: Path, number: int) -> None:
        self._disk = disk
        self._path = path
        self._number = number

    def write(self, content: bytes) -> None:
        offset = len(self._disk.contents.get(self._number, b""))
        self._disk.make("write", self._path, file=self._number, offset=offset, content=content)

    def rewrite(self, offset: int, content: bytes) -> None:
        self._disk.make("write", self._path, file=self._number, offset=offset, content=content)

    def sync(self) -> None:
        self._disk.make("sync", self._path, file=self._number)

    def fail_sync(self) -> None:
        """Records a sync that failed."""
        self._disk.make("failed sync", self._path, file=self._number)

    def truncate(self, length: int) -> None:
        self._disk.make("truncate", self._path, file=self._number, offset=length)

    def is_at(self, path: Path) -> bool:
        return self._disk.entries.get(str(path)) == self._number

    def set_permissions(self, permissions: Permissions) -> None:
        pass

    def close(self) -> None:
        pass


class InterceptedDisk(Disk):
    """See `Disk`: hands everything on, but asks `intercept` before each operation.

    It is called with the name of the method and the path. If it raises OSError, the operation
    fails, a write after `part` of its bytes; if it returns False, a change is left out.
    """

    def __init__(
        self, intercept: Callable[[str, Path], bool | None], disk: Disk = LOCAL, part: float = 0.5
    ) -> None:
        self.intercept = intercept
        self.part = part
        self._disk = disk

    def resolve(self, path: Path) -> Path:
        return self._disk.resolve(path)

    def exists(self, path: Path) -> bool:
        return self._disk.exists(path)

    def is_file(self, path: Path) -> bool:
        return self._disk.is_file(path)

    def is_directory(self, path: Path) -> bool:
        return self._disk.is_directory(path)

    def names(self, directory: Path) -> list[str]:
        self.intercept("names", directory)
        return self._disk.names(directory)

    def read(self, path: Path) -> bytes:
        self.intercept("read", path)
        return self._disk.read(path)

    def version(self, path: Path) -> Version:
        self.intercept("version", path)
        return self._disk.version(path)

    def permissions(self, path: Path) -> Permissions:
        return self._disk.permissions(path)

    def lock(self, path: Path) -> File | None:
        return self._disk.lock(path)

    def make_directory(self, path: Path) -> None:
        if self.intercept("make_directory", path) is not False:
            self._disk.make_directory(path)

    def create(self, path: Path) -> File:
        self.intercept("create", path)
        return InterceptedFile(self, path, self._disk.create(path))

    def open(self, path: Path) -> File:
        self.intercept("open", path)
        return InterceptedFile(self, path, self._disk.open(path))

    def rename(self, source: Path, target: Path) -> None:
        if self.intercept("rename", source) is not False:
            self._disk.rename(source, target)

    def unlink(self, path: Path) -> None:
        if self.exists(path) and self.intercept("unlink", path) is not False:
            self._disk.unlink(path)

    def sync_directory(self, directory: Path) -> None:
        if self.intercept("sync_directory", directory) is not False:
            self._disk.sync_directory(directory)


class InterceptedFile(File):
    """See `File` and `InterceptedDisk`."""

    def __init__(self, disk: InterceptedDisk, path: Path, file: File) -> None:
        self._disk = disk
        self._path = path
        self._file = file

    def write(self, content: bytes) -> None:
        try:
            self._disk.intercept("write", self._path)
        except OSError:
            self._file.write(content[: int(len(content) * self._disk.part)])
            raise
        self._file.write(content)

    def rewrite(self, offset: int, content: bytes) -> None:
        if self._disk.intercept("rewrite", self._path) is not False:
            self._file.rewrite(offset, content)

    def sync(self) -> None:
        try:
            wanted = self._disk.intercept("sync", self._path)
        except OSError:
            if isinstance(self._file, SimulatedFile):
                self._file.fail_sync()
            raise
        if wanted is not False:
            self._file.sync()

    def truncate(self, length: int) -> None:
        if self._disk.intercept("truncate", self._path) is not False:
            self._file.truncate(length)

    def is_at(self, path: Path) -> bool:
        return self._file.is_at(path)

    def set_permissions(self, permissions: Permissions) -> None:
        self._file.set_permissions(permissions)

    def close(self) -> None:
        self._file.close()
