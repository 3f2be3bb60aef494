"""Opening of a data file: locked, read and checked completely before any of it is used.

A file that is refused is left unchanged, byte for byte.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from errno import EINVAL, ENOENT
from pathlib import Path

from filelock import FileLock, Timeout

from clients_register.handlers.store.base import StoreError
from clients_register.handlers.store.codec import Misfit
from clients_register.handlers.store.contents import (
    FORMAT,
    VERSION,
    Contents,
    ForeignFile,
    OtherVersion,
    decode_tables,
    encode_tables,
)
from clients_register.handlers.store.data_file import DataFile
from clients_register.handlers.store.disk import Disk
from clients_register.handlers.store.journal import (
    DamagedJournal,
    Journal,
    journal_path,
    replay,
)
from clients_register.handlers.store.snapshot import SnapshotStorage

ANOTHER = "name another file with --data"

FIRST_GENERATION = 1

log = logging.getLogger(__name__)


class UnrelatedJournals(ValueError):
    """The journals do not follow the data file next to them; the message says how."""


def open_data_file(
    path: Path, disk: Disk, *, public_allowed: bool, locked: bool
) -> tuple[DataFile, Contents]:
    """Opens the data file at `path`, or creates one; `locked` keeps other processes out.

    Raises StoreError if the file is in use, unreadable, not writable, damaged, of another program
    or version, or public without `public_allowed`; also if its journals are damaged or belong to
    another data file.
    """
    path = _resolve(path, disk)
    lock = _lock(path) if locked else None
    try:
        return _open(path, disk, lock, public_allowed=public_allowed)
    except BaseException:
        if lock is not None:
            lock.release()
        raise


def erase_data_file(data_file: Path, disk: Disk) -> None:
    """Removes a closed data file and its journals. Raises OSError."""
    if not disk.is_directory(data_file.parent):
        return
    # In an order that leaves a valid store if it is interrupted: no journal without its data file.
    for path in reversed(list_journals(data_file, disk).values()):
        disk.unlink(path)
    SnapshotStorage(data_file, disk).discard_unfinished()
    disk.sync_directory(data_file.parent)
    disk.unlink(data_file)


def _open(
    path: Path, disk: Disk, lock: FileLock | None, *, public_allowed: bool
) -> tuple[DataFile, Contents]:
    storage = SnapshotStorage(path, disk)
    found = _find_journals(path, disk)
    contents, generation = _read(storage, path, found, disk)
    journals = _replay_journals(path, found, generation, contents, disk)
    if contents.public and not public_allowed:
        raise StoreError(
            f"the data file {path} was created by the stub: its passwords and tokens are"
            f" published; {ANOTHER}, or leave out --reference"
        )
    if disk.exists(path):
        past = [found[each] for each in found if each < journals[0].generation]
        try:
            _clean_up(storage, past, journals[-1], disk)
        except OSError as error:
            raise _unusable(path, "written", error) from None
    else:
        _create(path, storage, disk)
    return DataFile(path, lock, storage, journals), contents


def _resolve(path: Path, disk: Disk) -> Path:
    """Resolves symbolic links, so that all names of a file share one lock."""
    try:
        path = disk.resolve(path)
        # Some versions of filelock would create the directory.
        if not disk.is_directory(path.parent):
            raise FileNotFoundError(ENOENT, "its directory does not exist")
        if disk.exists(path) and not disk.is_file(path):
            raise OSError(EINVAL, "it is not a regular file")
    except OSError as error:
        raise _unusable(path, "opened", error) from None
    return path


def _lock(path: Path) -> FileLock:
    try:
        # Used by one thread at a time, but not always by the same.
        lock = FileLock(f"{path}.lock", thread_local=False)
        lock.acquire(timeout=0)
    except Timeout:
        raise StoreError(
            f"the data file {path} is in use by another server; stop that one, or {ANOTHER}"
        ) from None
    except OSError as error:
        raise _unusable(path, "opened", error) from None
    return lock


def _find_journals(path: Path, disk: Disk) -> dict[int, Path]:
    try:
        return list_journals(path, disk)
    except OSError as error:
        raise _unusable(path, "opened", error) from None


def _read(
    storage: SnapshotStorage, path: Path, journals: Mapping[int, Path], disk: Disk
) -> tuple[Contents, int]:
    try:
        if disk.exists(path):
            return decode_tables(storage.read())
    except OSError as error:
        raise _unusable(path, "read", error) from None
    except ForeignFile:
        raise StoreError(
            f"the data file {path} belongs to another program: expected a store of {FORMAT}; it is"
            f" left unchanged; {ANOTHER}"
        ) from None
    except OtherVersion as error:
        raise StoreError(
            f"the data file {path} has version {error}, expected {VERSION}; it is left"
            f" unchanged; use the program that wrote it, or {ANOTHER}"
        ) from None
    except Misfit as error:
        raise _damaged(path, str(error)) from None
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON ({error})") from None
    for journal in journals.values():
        raise StoreError(
            f"the data file {path} does not exist, but its journal {journal} does: expected both,"
            " because a journal contains only changes; restore the data file, remove the journal to"
            f" start with an empty store, or {ANOTHER}"
        )
    return Contents(), FIRST_GENERATION


def _replay_journals(
    path: Path,
    found: Mapping[int, Path],
    generation: int,
    contents: Contents,
    disk: Disk,
) -> list[Journal]:
    try:
        return replay_journals(path, found, generation, contents, disk)
    except OSError as error:
        raise _unusable(path, "read together with its journal", error) from None
    except UnrelatedJournals as error:
        raise StoreError(
            f"the data file {path} does not belong to the journals next to it, perhaps it is an"
            f" older copy: {error}; all files are left unchanged; restore the right one, remove"
            f" {path}.journal.* to continue without the changes since, or {ANOTHER}"
        ) from None
    except DamagedJournal as error:
        raise StoreError(
            f"the data file {path} cannot be used with its journal: {error}; both files are left"
            " unchanged; restore copies of both, remove the journal to continue without the changes"
            f" since, or {ANOTHER}"
        ) from None


def _create(path: Path, storage: SnapshotStorage, disk: Disk) -> None:
    try:
        storage.write(encode_tables(Contents(), FIRST_GENERATION))
    except OSError as error:
        with suppress(OSError):
            disk.unlink(path)
        raise _unusable(path, "written", error) from None


def _unusable(path: Path, action: str, error: OSError) -> StoreError:
    return StoreError(
        f"the data file {path} cannot be {action}: {error.strerror}; expected a readable and"
        f" writable file, or a directory in which to create one; {ANOTHER}"
    )


def _damaged(path: Path, found: str) -> StoreError:
    return StoreError(
        f"the data file {path} is damaged: {found}; it is left unchanged; restore a copy of it,"
        f" or {ANOTHER}"
    )


def list_journals(data_file: Path, disk: Disk) -> dict[int, Path]:
    """Returns the journals of `data_file` by generation, in order. Raises OSError."""
    name = re.compile(re.escape(data_file.name) + r"\.journal\.([1-9][0-9]*)")
    found = map(name.fullmatch, disk.names(data_file.parent))
    return dict(sorted((int(each[1]), data_file.with_name(each[0])) for each in found if each))


def replay_journals(
    data_file: Path, found: Mapping[int, Path], generation: int, contents: Contents, disk: Disk
) -> list[Journal]:
    """Applies the journals that were `found` to `contents`; returns those in use, in order.

    Journals of earlier generations than that of `contents` are ignored, because the data file
    contains their changes. The last journal may have a torn end. Raises UnrelatedJournals,
    DamagedJournal, OSError.
    """
    following = [each for each in found if each >= generation]
    if following != list(range(generation, generation + len(following))):
        raise UnrelatedJournals(
            f"expected its journal of generation {generation}, and those that follow it, found"
            f" {', '.join(map(str, following))}"
        )
    if not following:
        return [Journal(journal_path(data_file, generation), generation, disk)]
    return [
        _replay_journal(found[each], each, contents, disk, is_last=each == following[-1])
        for each in following
    ]


def _clean_up(storage: SnapshotStorage, past: Iterable[Path], current: Journal, disk: Disk) -> None:
    """Makes durable what was read, and removes what a crash left behind. Raises OSError.

    After a crash of the process only, some of what was read may not be on the disk yet: the last
    write of the `current` journal, and the names of files.
    """
    found = current.found
    if found:
        try:
            current.cut()
        finally:
            current.close()
    disk.sync_directory(current.path.parent)
    storage.discard_unfinished()
    for path in past:
        disk.unlink(path)
    if found and found.torn:
        log.warning(
            "the journal %s ended in an incomplete write, as after a kill or a power failure:"
            " dropped its last %d bytes, from byte %d on; the write had not been acknowledged",
            current.path,
            found.torn,
            current.end,
        )


def _replay_journal(
    path: Path, generation: int, contents: Contents, disk: Disk, *, is_last: bool
) -> Journal:
    try:
        valid = replay(disk.read(path), generation, contents)
        if valid.torn and not is_last:
            raise DamagedJournal(
                f"at byte {valid.end}: expected complete lines, found an incomplete one"
            )
        if is_last:
            contents.check()
    except DamagedJournal as error:
        raise DamagedJournal(f"the journal {path} is damaged: {error}") from None
    except Misfit as error:
        raise DamagedJournal(f"the journal {path} does not match its data file: {error}") from None
    return Journal(path, generation, disk, valid)
