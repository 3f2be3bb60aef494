"""Access to the file system: the file store reads, writes and syncs files only through this.

Tests replace `LOCAL` by a simulated disk.
"""

import os
from contextlib import suppress
from errno import ELOOP
from pathlib import Path
from typing import Protocol

from typing_extensions import override


class File(Protocol):
    """A file that is open for appending. All methods but `close` raise OSError."""

    def write(self, content: bytes) -> None:
        """Appends all of `content`. If it raises, a part of it may have been written."""
        ...

    def rewrite(self, offset: int, content: bytes) -> None:
        """Writes again what the file contains from `offset` to its end.

        The next sync then includes it. After a failed sync, the system may consider data synced
        that never reached the disk.
        """
        ...

    def sync(self) -> None:
        """Returns when the content and the length of the file are durable."""
        ...

    def truncate(self, length: int) -> None:
        """Truncates the file to `length` bytes."""
        ...

    def close(self) -> None:
        """Closes the file."""
        ...


class Disk(Protocol):
    """The file operations that the store needs. All of them raise OSError.

    Creating, renaming or removing a file is durable once its directory has been synced.
    """

    def resolve(self, path: Path) -> Path:
        """Returns `path` in absolute form, without symbolic links."""
        ...

    def exists(self, path: Path) -> bool:
        """Whether there is a file or a directory at `path`."""
        ...

    def is_file(self, path: Path) -> bool:
        """Whether `path` is a regular file."""
        ...

    def is_directory(self, path: Path) -> bool:
        """Whether `path` is a directory."""
        ...

    def names(self, directory: Path) -> list[str]:
        """Returns the names of the files in `directory`, in any order."""
        ...

    def read(self, path: Path) -> bytes:
        """Returns the content of the file."""
        ...

    def make_directory(self, path: Path) -> None:
        """Creates a directory, unless it exists."""
        ...

    def create(self, path: Path) -> File:
        """Creates a file that only its owner may read. Raises FileExistsError."""
        ...

    def open(self, path: Path) -> File:
        """Opens a file; one that does not exist is created as by `create`."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Renames a file, and atomically replaces `target`."""
        ...

    def unlink(self, path: Path) -> None:
        """Removes a file, if it exists."""
        ...

    def sync_directory(self, directory: Path) -> None:
        """Returns when the names in `directory` are durable."""
        ...


class LocalFile(File):
    """A file of this machine."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @override
    def write(self, content: bytes) -> None:
        written = os.write(self._descriptor, content)
        while written < len(content):
            written += os.write(self._descriptor, content[written:])

    @override
    def rewrite(self, offset: int, content: bytes) -> None:
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        self.write(content)

    @override
    def sync(self) -> None:
        if hasattr(os, "fdatasync"):
            os.fdatasync(self._descriptor)
        else:
            os.fsync(self._descriptor)

    @override
    def truncate(self, length: int) -> None:
        os.ftruncate(self._descriptor, length)
        os.lseek(self._descriptor, length, os.SEEK_SET)

    @override
    def close(self) -> None:
        # Everything important has been synced.
        with suppress(OSError):
            os.close(self._descriptor)


class LocalDisk(Disk):
    """The file system of this machine."""

    @override
    def resolve(self, path: Path) -> Path:
        try:
            resolved = path.resolve()
        except RuntimeError:
            # Up to Python 3.12, a symbolic link to itself.
            raise OSError(ELOOP, os.strerror(ELOOP)) from None
        if resolved.is_symlink():
            # From Python 3.13 on, the same is not reported.
            raise OSError(ELOOP, os.strerror(ELOOP))
        return resolved

    @override
    def exists(self, path: Path) -> bool:
        return path.exists()

    @override
    def is_file(self, path: Path) -> bool:
        return path.is_file()

    @override
    def is_directory(self, path: Path) -> bool:
        return path.is_dir()

    @override
    def names(self, directory: Path) -> list[str]:
        return os.listdir(directory)  # noqa: PTH208

    @override
    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    @override
    def make_directory(self, path: Path) -> None:
        path.mkdir(exist_ok=True)

    @override
    def create(self, path: Path) -> File:
        return _open(path, os.O_EXCL)

    @override
    def open(self, path: Path) -> File:
        return _open(path, 0)

    @override
    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    @override
    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    @override
    def sync_directory(self, directory: Path) -> None:
        # Windows cannot do this.
        if os.name != "posix":
            return
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


LOCAL = LocalDisk()


def _open(path: Path, flags: int) -> LocalFile:
    # O_BINARY for Windows. Only the owner may read password hashes.
    flags |= os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o600)
    os.lseek(descriptor, 0, os.SEEK_END)
    return LocalFile(descriptor)
