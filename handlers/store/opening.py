"""Opening a data file: it is locked, read and checked through before anything in it is believed.

What is refused is left as it is, byte for byte.
"""

from collections.abc import Mapping
from contextlib import suppress
from errno import EINVAL, ENOENT
from pathlib import Path

from filelock import FileLock, Timeout

from clients_register.handlers.store import StoreError, beside
from clients_register.handlers.store.beside import Unrelated
from clients_register.handlers.store.contents import (
    FORMAT,
    VERSION,
    Contents,
    Foreign,
    OtherVersion,
    contents_of,
    tables_of,
)
from clients_register.handlers.store.disk import Disk
from clients_register.handlers.store.documents import Misfit
from clients_register.handlers.store.file import DataFile
from clients_register.handlers.store.journal import Journal
from clients_register.handlers.store.replay import DamagedJournal
from clients_register.handlers.store.snapshot import SnapshotStorage

ANOTHER = "name another file with --data"

FIRST_GENERATION = 1


def opened(
    path: Path, disk: Disk, *, public_allowed: bool, locked: bool
) -> tuple[DataFile, Contents]:
    """Opens the data file at `path`, or makes one. If `locked`, nobody else can until it is closed.

    Raises StoreError where it is in use, cannot be read or written, is damaged, is of another
    program or version, or holds public secrets that are not `public_allowed`; and where its
    journals are damaged, or are not its own.
    """
    path = _found(path, disk)
    lock = _lock(path) if locked else None
    try:
        return _opened(path, disk, lock, public_allowed=public_allowed)
    except BaseException:
        if lock is not None:
            lock.release()
        raise


def _opened(
    path: Path, disk: Disk, lock: FileLock | None, *, public_allowed: bool
) -> tuple[DataFile, Contents]:
    storage = SnapshotStorage(path, disk)
    found = _journals(path, disk)
    contents, generation = _read(storage, path, found, disk)
    journals = _replayed(path, found, generation, contents, disk)
    if contents.public and not public_allowed:
        raise StoreError(
            f"the data file {path} was filled by the stub: passwords and tokens in it are known"
            f" to anybody; {ANOTHER}, or leave --reference out"
        )
    if disk.exists(path):
        over = [found[each] for each in found if each < journals[0].generation]
        try:
            beside.tidy(storage, over, journals[-1], disk)
        except OSError as error:
            raise _unusable(path, "written", error) from None
    else:
        _make(path, storage, disk)
    return DataFile(path, lock, storage, journals), contents


def _found(path: Path, disk: Disk) -> Path:
    """The path without symbolic links, so that two names of a file have one lock."""
    try:
        path = disk.resolve(path)
        # Some versions of the lock would make the directory.
        if not disk.is_directory(path.parent):
            raise FileNotFoundError(ENOENT, "its directory does not exist")
        if disk.exists(path) and not disk.is_file(path):
            raise OSError(EINVAL, "it is no regular file")
    except OSError as error:
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


def _journals(path: Path, disk: Disk) -> dict[int, Path]:
    try:
        return beside.journals(path, disk)
    except OSError as error:
        raise _unusable(path, "opened", error) from None


def _read(
    storage: SnapshotStorage, path: Path, journals: Mapping[int, Path], disk: Disk
) -> tuple[Contents, int]:
    try:
        if disk.exists(path):
            return contents_of(storage.read())
    except OSError as error:
        raise _unusable(path, "read", error) from None
    except Foreign:
        raise StoreError(
            f"the data file {path} belongs to another program: expected a store of {FORMAT}; it is"
            f" left as it is; {ANOTHER}"
        ) from None
    except OtherVersion as error:
        raise StoreError(
            f"the data file {path} has version {error}, expected {VERSION}; it is left as it"
            f" is; use the program that wrote it, or {ANOTHER}"
        ) from None
    except Misfit as error:
        raise _damaged(path, str(error)) from None
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON ({error})") from None
    for journal in journals.values():
        raise StoreError(
            f"the data file {path} is not there, but its journal {journal} is: expected both, for a"
            " journal only says what changed; put the data file back, remove the journal to start"
            f" anew, or {ANOTHER}"
        )
    return Contents(), FIRST_GENERATION


def _replayed(
    path: Path,
    found: Mapping[int, Path],
    generation: int,
    contents: Contents,
    disk: Disk,
) -> list[Journal]:
    try:
        return beside.replayed(path, found, generation, contents, disk)
    except OSError as error:
        raise _unusable(path, "read together with its journal", error) from None
    except Unrelated as error:
        raise StoreError(
            f"the data file {path} is another one than that of the journals beside it, perhaps an"
            f" older copy: {error}; all are left as they are; put the right one back, remove"
            f" {path}.journal.* to go on without what changed since, or {ANOTHER}"
        ) from None
    except DamagedJournal as error:
        raise StoreError(
            f"the data file {path} cannot be used with its journal: {error}; both are left as they"
            " are; restore copies of both, remove the journal to go on without what changed since,"
            f" or {ANOTHER}"
        ) from None


def _make(path: Path, storage: SnapshotStorage, disk: Disk) -> None:
    try:
        storage.write(tables_of(Contents(), FIRST_GENERATION))
    except OSError as error:
        with suppress(OSError):
            disk.unlink(path)
        raise _unusable(path, "written", error) from None


def _unusable(path: Path, what: str, error: OSError) -> StoreError:
    return StoreError(
        f"the data file {path} cannot be {what}: {error.strerror}; expected a file that can be read"
        f" and written, or a directory to make one in; {ANOTHER}"
    )


def _damaged(path: Path, found: str) -> StoreError:
    return StoreError(
        f"the data file {path} is damaged: {found}; it is left as it is; restore a copy of it, or"
        f" {ANOTHER}"
    )
