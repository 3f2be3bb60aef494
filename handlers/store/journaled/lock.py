"""Keeps other processes from a data file, and explains why a file cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from clients_register.handlers.store.journaled.disk import Disk, File, remedy


class StorageError(Exception):
    """The files cannot be used; the message says what was expected, found, and what to do."""


class DataFileLock:
    """A lock file next to a data file, and a lock of the file itself, if it exists.

    The second one holds even if someone removes the lock file.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        """Locks by the lock file. Raises StorageError, for instance if another process has."""
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
        """Locks the data file. Raises OSError, or StorageError if another process has."""
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
