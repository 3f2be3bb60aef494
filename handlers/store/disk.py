"""Access to the disk: the file store reads, writes and syncs files through nothing else.

Tests pass a simulated disk in place of `LOCAL`.
"""

import os
from contextlib import suppress
from errno import ELOOP
from pathlib import Path
from typing import Protocol


class File(Protocol):
    """A file that is open for writing at its end. All methods but `close` raise OSError."""

    def write(self, content: bytes) -> None:
        """Appends all of `content`. If it raises, a part of it may have been written."""
        ...

    def rewrite(self, offset: int, content: bytes) -> None:
        """Writes once more what the file has from `offset` to its end.

        The next sync includes it, even if an earlier one failed: then the system takes for synced
        what never reached the disk.
        """
        ...

    def sync(self) -> None:
        """Returns when the content and the length of the file are durable."""
        ...

    def truncate(self, length: int) -> None:
        """Cuts the file to `length` bytes."""
        ...

    def close(self) -> None:
        """Closes the file."""
        ...


class Disk(Protocol):
    """The file operations that the store needs. All of them raise OSError.

    A file that was created, renamed or removed is so durably when its directory has been synced.
    """

    def resolve(self, path: Path) -> Path:
        """`path` in absolute form, without symbolic links."""
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
        """The names of the files in `directory`, in no particular order."""
        ...

    def read(self, path: Path) -> bytes:
        """The content of the file."""
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
        """Renames a file, in one step with the removal of what `target` was."""
        ...

    def unlink(self, path: Path) -> None:
        """Removes a file, if it exists."""
        ...

    def sync_directory(self, directory: Path) -> None:
        """Returns when the names of the files in `directory` are durable."""
        ...


class LocalFile:
    """See `File`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, content: bytes) -> None:
        """See `File.write`."""
        written = os.write(self._descriptor, content)
        while written < len(content):
            written += os.write(self._descriptor, content[written:])

    def rewrite(self, offset: int, content: bytes) -> None:
        """See `File.rewrite`."""
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        self.write(content)

    def sync(self) -> None:
        """See `File.sync`."""
        if hasattr(os, "fdatasync"):
            os.fdatasync(self._descriptor)
        else:
            os.fsync(self._descriptor)

    def truncate(self, length: int) -> None:
        """See `File.truncate`."""
        os.ftruncate(self._descriptor, length)
        os.lseek(self._descriptor, length, os.SEEK_SET)

    def close(self) -> None:
        """See `File.close`."""
        # Everything that matters has been synced.
        with suppress(OSError):
            os.close(self._descriptor)


class LocalDisk:
    """See `Disk`: the file system of this machine."""

    def resolve(self, path: Path) -> Path:
        """See `Disk.resolve`."""
        try:
            resolved = path.resolve()
        except RuntimeError:
            # Up to Python 3.12, a symbolic link to itself.
            raise OSError(ELOOP, os.strerror(ELOOP)) from None
        if resolved.is_symlink():
            # From Python 3.13 on, the same is not reported.
            raise OSError(ELOOP, os.strerror(ELOOP))
        return resolved

    def exists(self, path: Path) -> bool:
        """See `Disk.exists`."""
        return path.exists()

    def is_file(self, path: Path) -> bool:
        """See `Disk.is_file`."""
        return path.is_file()

    def is_directory(self, path: Path) -> bool:
        """See `Disk.is_directory`."""
        return path.is_dir()

    def names(self, directory: Path) -> list[str]:
        """See `Disk.names`."""
        return os.listdir(directory)  # noqa: PTH208

    def read(self, path: Path) -> bytes:
        """See `Disk.read`."""
        return path.read_bytes()

    def make_directory(self, path: Path) -> None:
        """See `Disk.make_directory`."""
        path.mkdir(exist_ok=True)

    def create(self, path: Path) -> File:
        """See `Disk.create`."""
        return _opened(path, os.O_EXCL)

    def open(self, path: Path) -> File:
        """See `Disk.open`."""
        return _opened(path, 0)

    def rename(self, source: Path, target: Path) -> None:
        """See `Disk.rename`."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """See `Disk.unlink`."""
        path.unlink(missing_ok=True)

    def sync_directory(self, directory: Path) -> None:
        """See `Disk.sync_directory`."""
        # Windows has no such call.
        if os.name != "posix":
            return
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


LOCAL = LocalDisk()


def _opened(path: Path, flags: int) -> LocalFile:
    # Python has text files on Windows by default. The mode is for the password hashes.
    flags |= os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o600)
    os.lseek(descriptor, 0, os.SEEK_END)
    return LocalFile(descriptor)
