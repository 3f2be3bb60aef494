"""Opening a data file: it is locked, read and checked through before anything in it is believed.

A file that is refused is left as it is, byte for byte.
"""

import os
from dataclasses import dataclass
from errno import EINVAL, ELOOP, ENOENT
from pathlib import Path

from filelock import FileLock, Timeout
from tinydb import TinyDB

from clients_register.handlers.store import StoreError
from clients_register.handlers.store.contents import (
    FORMAT,
    VERSION,
    Contents,
    Foreign,
    OtherVersion,
    contents_of,
    head,
)
from clients_register.handlers.store.documents import Misfit
from clients_register.handlers.store.file import Tables, WholeFileStorage, load

ANOTHER = "name another file with --data"


@dataclass(frozen=True, slots=True)
class Opened:
    """A data file that this process alone writes, and what stood in it."""

    path: Path
    lock: FileLock | None
    database: TinyDB
    storage: WholeFileStorage
    contents: Contents

    def close(self) -> None:
        """Lets others open the file."""
        self.database.close()
        if self.lock is not None:
            self.lock.release()


def opened(path: Path, *, public_allowed: bool, locked: bool) -> Opened:
    """Opens the data file at `path`, or makes one. If `locked`, nobody else can until it is closed.

    Raises StoreError where it is in use, cannot be read or written, is damaged, is of another
    program or version, or holds public secrets that are not `public_allowed`.
    """
    path = _found(path)
    lock = _lock(path) if locked else None
    try:
        tables, contents = _read(path)
        if contents.public and not public_allowed:
            raise StoreError(
                f"the data file {path} was filled by the stub: passwords and tokens in it are known"
                f" to anybody; {ANOTHER}, or leave --reference out"
            )
        storage = WholeFileStorage(path, tables)
        if tables is None:
            _make(storage, path)
    except BaseException:
        if lock is not None:
            lock.release()
        raise
    # TinyDB makes its storage itself; this one is there already.
    return Opened(path, lock, TinyDB(storage=lambda: storage), storage, contents)


def _found(path: Path) -> Path:
    """The path without symbolic links, so that two names of a file have one lock."""
    try:
        path = path.resolve()
        if path.is_symlink():
            # From Python 3.13 on, resolving says nothing about a link that leads to itself.
            raise OSError(ELOOP, os.strerror(ELOOP))
        # Some versions of the lock would make the directory.
        if not path.parent.is_dir():
            raise FileNotFoundError(ENOENT, "its directory does not exist")
        if path.exists() and not path.is_file():
            raise OSError(EINVAL, "it is no regular file")
    except (OSError, RuntimeError) as error:
        raise _unusable(path, "opened", error) from None
    return path


def _lock(path: Path) -> FileLock:
    try:
        # Only one thread at a time is in the store, but not always the same.
        lock = FileLock(f"{path}.lock", thread_local=False)
        lock.acquire(timeout=0)
    except Timeout:
        raise StoreError(
            f"the data file {path} is in use by another server; stop that one, or {ANOTHER}"
        ) from None
    except OSError as error:
        raise _unusable(path, "opened", error) from None
    return lock


def _make(storage: WholeFileStorage, path: Path) -> None:
    try:
        storage.write({"meta": {"1": head(public=False)}})
    except OSError as error:
        raise _unusable(path, "written", error) from None


def _read(path: Path) -> tuple[Tables | None, Contents]:
    if not path.exists():
        return None, Contents()
    try:
        tables = load(path)
        return tables, contents_of(tables)
    except OSError as error:
        raise _unusable(path, "read", error) from None
    except Foreign:
        raise StoreError(
            f"the data file {path} belongs to another program: expected a store of {FORMAT}; it is"
            f" left as it is; {ANOTHER}"
        ) from None
    except OtherVersion as error:
        raise StoreError(
            f"the data file {path} has version {error}, expected {VERSION}; it is left as it is;"
            f" use the program that wrote it, or {ANOTHER}"
        ) from None
    except Misfit as error:
        raise _damaged(path, str(error)) from None
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON ({error})") from None


def _unusable(path: Path, what: str, error: Exception) -> StoreError:
    # A symbolic link to itself is a RuntimeError up to Python 3.12.
    reason = (isinstance(error, OSError) and error.strerror) or error
    return StoreError(
        f"the data file {path} cannot be {what}: {reason}; expected a file that can be read and"
        f" written, or a directory to make one in; {ANOTHER}"
    )


def _damaged(path: Path, found: str) -> StoreError:
    return StoreError(
        f"the data file {path} is damaged: {found}; it is left as it is; restore a copy of it, or"
        f" {ANOTHER}"
    )
