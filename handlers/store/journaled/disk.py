"""Access to the file system: data files are read, written, locked and synced only through this.

Tests pass a simulated disk in the place of `LOCAL`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ELOOP, EMFILE, ENFILE
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class Version(NamedTuple):
    """Differs between two files, and after each write to one."""

    device: int
    inode: int
    size: int
    modified: int


class Permissions(NamedTuple):
    """The mode and the group of a file."""

    mode: int
    group: int


class File:
    """A file that is open for appending. All methods but `close` raise OSError."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, content: bytes) -> None:
        """Appends all of `content`. If it raises, a part of it may have been written."""
        written = os.write(self._descriptor, content)
        while written < len(content):
            written += os.write(self._descriptor, content[written:])

    def rewrite(self, offset: int, content: bytes) -> None:
        """Writes again what the file contains from `offset` to its end.

        The next sync then includes it. After a failed sync, the system may consider data synced
        that never reached the disk.
        """
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        self.write(content)

    def sync(self) -> None:
        """Returns when the content and the length of the file are durable."""
        if hasattr(os, "fdatasync"):
            os.fdatasync(self._descriptor)
        else:
            os.fsync(self._descriptor)

    def truncate(self, length: int) -> None:
        """Truncates the file to `length` bytes."""
        os.ftruncate(self._descriptor, length)
        os.lseek(self._descriptor, length, os.SEEK_SET)

    def is_at(self, path: Path) -> bool:
        """Whether `path` still leads to this file, and not to another one or none."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), path.stat())
        except FileNotFoundError:
            return False

    def set_permissions(self, permissions: Permissions) -> None:
        """Sets mode and group; without the right to set the group, only the rights of the owner."""
        if not hasattr(os, "fchown"):
            return
        mode, group = permissions
        if os.fstat(self._descriptor).st_gid != group:
            try:
                os.fchown(self._descriptor, -1, group)
            except PermissionError:
                # Another group must not get the rights of that one.
                mode &= 0o700
        os.fchmod(self._descriptor, mode)

    def close(self) -> None:
        """Closes the file."""
        # Everything important has been synced.
        with suppress(OSError):
            os.close(self._descriptor)


class Disk:
    """The file system of this machine. All methods raise OSError.

    Creating, renaming or removing a file is durable once its directory has been synced.
    """

    # Whether other processes can use the same files.
    is_shared = True

    def resolve(self, path: Path) -> Path:
        """Returns `path` in absolute form, without symbolic links."""
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
        """Whether there is a file or a directory at `path`."""
        return path.exists()

    def is_file(self, path: Path) -> bool:
        """Whether `path` is a regular file."""
        return path.is_file()

    def is_directory(self, path: Path) -> bool:
        """Whether `path` is a directory."""
        return path.is_dir()

    def names(self, directory: Path) -> list[str]:
        """Returns the names of the files in `directory`, in any order."""
        return os.listdir(directory)  # noqa: PTH208

    def read(self, path: Path) -> bytes:
        """Returns the content of the file."""
        return path.read_bytes()

    def version(self, path: Path) -> Version:
        """Returns the version of the file."""
        status = path.stat()
        return Version(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    def permissions(self, path: Path) -> Permissions:
        """Returns mode and group of the file."""
        status = path.stat()
        return Permissions(status.st_mode & 0o777, status.st_gid)

    def make_directory(self, path: Path) -> None:
        """Creates a directory, unless it exists."""
        path.mkdir(exist_ok=True)

    def create(self, path: Path) -> File:
        """Creates a file that only its owner may read. Raises FileExistsError."""
        return self._open(path, os.O_EXCL)

    def open(self, path: Path) -> File:
        """Opens a file; one that does not exist is created as by `create`."""
        return self._open(path, 0)

    def lock(self, path: Path) -> File | None:
        """Locks a file itself, whatever its name, until what is returned is closed.

        Returns None on systems and file systems without such locks. Raises BlockingIOError if
        another process has locked the file.
        """
        if fcntl is None:
            return None
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise
            return None
        return File(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Renames a file, and atomically replaces `target`."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Removes a file, if it exists."""
        path.unlink(missing_ok=True)

    def sync_directory(self, directory: Path) -> None:
        """Returns when the names in `directory` are durable."""
        # Windows cannot do this.
        if os.name != "posix":
            return
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _open(self, path: Path, flags: int) -> File:
        # O_BINARY for Windows. Only the owner may read password hashes.
        flags |= os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, 0o600)
        os.lseek(descriptor, 0, os.SEEK_END)
        return File(descriptor)


LOCAL = Disk()


class StorageError(Exception):
    """The files cannot be used; the message says what was expected, found, and what to do."""


@contextmanager
def explained(path: Path, action: str) -> Iterator[None]:
    """Turns OSError into StorageError."""
    try:
        yield
    except OSError as error:
        raise unusable(path, action, error) from None


def unusable(path: Path, action: str, error: OSError) -> StorageError:
    """Returns an error that says that the data file cannot be read, written and so on."""
    usual = (
        "expected a readable and writable file, or a directory in which to create one; correct its"
        " path or permissions"
    )
    return StorageError(
        f"the data file {path} cannot be {action}: {error.strerror}; {remedy(error, usual)}"
    )


def remedy(error: OSError, usual: str) -> str:
    """Returns what a user can do about `error`: the `usual`, unless too many files are open."""
    if error.errno in (EMFILE, ENFILE):
        return "raise the limit of open files (ulimit -n)"
    return usual


class DataFileLock:
    """A lock file next to a data file, and a lock of the file itself, if it exists.

    The second one holds even if someone removes the lock file.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        """Locks by the lock file. Raises StorageError, for instance if another process has it."""
        self._path = path
        self._disk = disk
        self._file: File | None = None
        # Used by one thread at a time, but not always by the same.
        self._lock_file = FileLock(f"{path}.lock", thread_local=False)
        try:
            self._lock_file.acquire(timeout=0)
        except Timeout:
            raise self._in_use() from None
        except OSError as error:
            raise unusable(path, "opened", error) from None

    def lock_data_file(self) -> None:
        """Locks the data file. Raises OSError, or StorageError if another process has it."""
        try:
            self._file = self._disk.lock(self._path)
        except BlockingIOError:
            raise self._in_use() from None

    @contextmanager
    def replaced_by(self, path: Path) -> Iterator[None]:
        """Locks the file at `path`, which replaces the data file within the context."""
        new = self._disk.lock(path)
        try:
            yield
        except BaseException:
            if new is not None:
                new.close()
            raise
        if self._file is not None:
            self._file.close()
        self._file = new

    def release(self) -> None:
        """Releases both locks."""
        if self._file is not None:
            self._file.close()
        self._lock_file.release()

    def _in_use(self) -> StorageError:
        return StorageError(
            f"the data file {self._path} is in use by another process; stop that one"
        )
