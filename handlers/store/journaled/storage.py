"""The storage of a journaled TinyDB: its documents in memory, and the files that keep them.

Snapshot 7 and journal 7, both of generation 7, make up the data. A compaction begins journal 8;
meanwhile the data is snapshot 7 with journals 7 and 8. Then snapshot 8, which equals snapshot 7
with journal 7, atomically replaces the old snapshot. From then on journal 7 belongs to a past
generation and is never read again, even if a crash prevents its removal.

Before any file is changed, all are locked, read and checked; an invalid file is refused and left
as it is. Each write makes sure that the files are still those that were opened.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from errno import EINVAL, ENOENT
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, Never

from tinydb import Storage
from typing_extensions import override

from clients_register.handlers.store.journaled.disk import (
    LOCAL,
    DataFileLock,
    Disk,
    StorageError,
    Version,
    explained,
    unusable,
)
from clients_register.handlers.store.journaled.journal import (
    Change,
    Documents,
    FileReplaced,
    InvalidJSON,
    Journal,
    apply_change,
    find_version,
    replay,
)
from clients_register.handlers.store.journaled.snapshot import (
    WrongChecksum,
    decode_snapshot,
    encode_snapshot,
)

# Size in bytes below which a journal is never compacted; that of about 7,500 registrations, which
# take a fifth of a second to read. Beyond, a journal may grow as large as its snapshot: snapshots
# are then a constant share of all writes, and opening reads at most twice the stored data.
MIN_COMPACTION_SIZE = 2**23

# Documents written between two pauses of a compaction. With a hundred, requests served meanwhile
# would have only 60 % of the throughput.
BATCH_SIZE = 30

# Raises ValueError if the application cannot use these tables, or an exception of its own.
Check = Callable[[Mapping[str, Documents]], None]

log = logging.getLogger(__name__)


def accept(_tables: Mapping[str, Documents]) -> None:
    """Accepts any tables."""


@dataclass(frozen=True, slots=True)
class FileFormat:
    """The expectations of an application of its files.

    A new file gets the `initial` tables. `identify` is called with those of a data file before its
    journals are read, `check` with all changes; both before any file is changed.
    """

    initial: Mapping[str, Documents] = field(default_factory=dict)
    identify: Check = accept
    check: Check = accept


ANY_FORMAT = FileFormat()


class JournalStorage(Storage):
    """Keeps tables in memory, and each change of them in the journal.

    `tables` are the durable documents; only `apply` changes them.
    """

    def __init__(
        self,
        path: Path,
        *,
        file_format: FileFormat = ANY_FORMAT,
        locked: bool = True,
        fresh: bool = False,
        disk: Disk = LOCAL,
    ) -> None:
        """Opens the file at `path`, or creates it.

        Without `locked` the caller has to make sure that no other process uses the file. With
        `fresh`, it gets the initial tables in place of its own, once these are checked. Raises
        StorageError, and what the functions of `file_format` raise.
        """
        self._disk = disk
        with explained(path, "opened"):
            self.path = _resolve(path, disk)
        self._journals: list[Journal] = []
        self._lock = DataFileLock(self.path, disk) if locked and disk.is_shared else None
        self._temporary = self.path.with_name(self.path.name + ".new")
        self._compacting = Lock()
        self._is_closed = False
        # The version of the data file; during its replacement also the next one.
        self._versions: tuple[Version, ...] = ()
        self._is_lost = False
        try:
            self.tables, self._journals = self._load(file_format)
            if fresh:
                self._begin_anew(file_format.initial)
        except BaseException:
            self._release()
            raise

    @override
    def read(self) -> dict[str, Any]:
        """Returns the tables, with encoded documents; TinyDB itself uses only their names."""
        return {**self.tables}

    @override
    def write(self, data: Mapping[str, Mapping[str, Any]]) -> Never:
        """Refuses to replace everything at once, as TinyDB would to drop a table."""
        raise NotImplementedError("expected a change in a transaction, found a write of all tables")

    def apply(self, change: Change) -> None:
        """Applies a durable change."""
        apply_change(change, self.tables)

    def append(self, changes: Iterable[bytes]) -> None:
        """Returns when all encoded `changes` are durable; if it raises OSError, none of them is.

        Raises FileReplaced, from then on always, if another program has removed or replaced the
        data file or the journal. Not thread-safe.
        """
        if self._is_closed:
            raise RuntimeError("expected an open database, found a closed one")
        self.check_data_file()
        self._journals[-1].append(changes)

    def check_data_file(self) -> None:
        """Raises FileReplaced if the data file is not the one that was opened, or once was not."""
        # A compaction may replace it meanwhile, in another thread.
        before = self._versions
        found = find_version(self.path, self._disk)
        if found not in before + self._versions:
            self._is_lost = True
        if self._is_lost:
            raise FileReplaced.at(self.path)

    def release_files(self) -> None:
        """Closes the journal until the next write. It must not be called during `append`."""
        self._journals[-1].close()

    @property
    def compaction_is_due(self) -> bool:
        """Whether the journal should be compacted now."""
        limit = max(MIN_COMPACTION_SIZE, self._versions[0].size)
        return self._journals[-1].end > limit and not self._compacting.locked()

    def begin_compaction(self) -> Callable[[], None]:
        """Begins the next journal; returns a function that compacts, to be called once.

        It must not be called during `append`, but the function may run in a thread meanwhile. Waits
        for a running compaction.
        """
        # Acquired here and not in the thread, so that only one thread changes the list of journals.
        self._compacting.acquire()
        self._journals[-1].close()
        self._journals = [*self._journals, self._journals[-1].successor()]
        copies = _copy(self.tables)

        def compact_in_background() -> None:
            try:
                self._compact(copies)
            except FileReplaced as error:
                log.error("%s; what was stored since is lost with it", error)
            except OSError as error:
                log.warning(
                    "the data file %s cannot be compacted: %s; nothing is lost, its changes are in"
                    " the journals next to it, and the next attempt is made when these have grown",
                    self.path,
                    error,
                )
            finally:
                self._compacting.release()

        return compact_in_background

    @override
    def close(self, *, compact: bool = True) -> None:
        """Closes the files, and releases the lock.

        With `compact`, or if a journal was lost, first everything is written into the data file and
        the journals are removed.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            # Waits for a running compaction.
            with self._compacting:
                has_changes = any(each.end for each in self._journals)
            if not has_changes:
                self._journals[-1].remove()
            elif compact or any(each.is_lost for each in self._journals):
                self.begin_compaction()()
        finally:
            self._release()

    def _release(self) -> None:
        for journal in self._journals:
            journal.close()
        if self._lock is not None:
            self._lock.release()

    # Writing a snapshot

    def _compact(self, tables: Mapping[str, Documents]) -> None:
        """Writes a snapshot of `tables`, the changes of all journals but the last one."""
        *past, current = self._journals
        self._write(tables, current.generation)
        for journal in past:
            journal.remove()
        self._journals = [current]

    def _write(self, tables: Mapping[str, Documents], generation: int) -> None:
        """Replaces the data file, durably.

        If it raises OSError, the file has its old content; the old or the new one if the sync of
        the directory failed.
        """
        try:
            self._disk.unlink(self._temporary)
            with closing(self._disk.create(self._temporary)) as file:
                if self._versions:
                    file.set_permissions(self._disk.permissions(self.path))
                parts = encode_snapshot(tables, generation)
                while batch := b"".join(islice(parts, BATCH_SIZE)):
                    file.write(batch)
                    # Background work: let other threads have the interpreter lock.
                    time.sleep(0)
                file.sync()
            self._replace()
        except BaseException:
            with suppress(OSError):
                self._disk.unlink(self._temporary)
            raise
        self._disk.sync_directory(self.path.parent)

    def _replace(self) -> None:
        """Replaces the data file by the temporary one. Raises OSError."""
        before, new = self._versions, self._disk.version(self._temporary)
        with self._lock.replaced_by(self._temporary) if self._lock else nullcontext():
            try:
                if before:
                    self.check_data_file()
                self._versions = (*before, new)
                self._disk.rename(self._temporary, self.path)
            except BaseException:
                self._versions = before
                raise
            self._versions = (new,)

    # Opening

    def _load(self, file_format: FileFormat) -> tuple[dict[str, Documents], list[Journal]]:
        """Reads and checks the files, then makes durable what was read, or creates the file."""
        with explained(self.path, "opened"):
            found = list_journals(self.path, self._disk)
            exists = self._disk.exists(self.path)
        if not exists:
            return self._create(file_format.initial, found)
        with explained(self.path, "read"):
            if self._lock is not None:
                self._lock.lock_data_file()
            self._versions = (self._disk.version(self.path),)
            content = self._disk.read(self.path)
        tables, generation = self._decode(content)
        del content
        file_format.identify(tables)
        journals = self._replay(found, generation, tables)
        try:
            file_format.check(tables)
        except ValueError as error:
            where = "" if len(journals) == 1 and not journals[0].end else ", with its journals,"
            raise StorageError(
                f"the data file {self.path}{where} is damaged: {error}; all files are left"
                " unchanged; restore copies of them"
            ) from None
        with explained(self.path, "written"):
            self._clean_up(journals[-1], [found[each] for each in found if each < generation])
        return tables, journals

    def _create(
        self, initial: Mapping[str, Documents], found: Mapping[int, Path]
    ) -> tuple[dict[str, Documents], list[Journal]]:
        if found:
            journal = next(iter(found.values()))
            raise StorageError(
                f"the data file {self.path} does not exist, but its journal {journal} does:"
                " expected both, because a journal contains only changes; restore the data file,"
                " or remove the journal to start with an empty one"
            )
        try:
            self._write(initial, 1)
        except OSError as error:
            with suppress(OSError):
                self._disk.unlink(self.path)
            raise unusable(self.path, "written", error) from None
        return _copy(initial), [Journal(self.path, 1, self._disk)]

    def _begin_anew(self, initial: Mapping[str, Documents]) -> None:
        """Replaces everything that was loaded by the `initial` tables, as a compaction does."""
        self.tables = _copy(initial)
        self._journals = [*self._journals, self._journals[-1].successor()]
        with explained(self.path, "written"):
            self._compact(self.tables)

    def _decode(self, content: bytes) -> tuple[dict[str, Documents], int]:
        try:
            return decode_snapshot(content)
        except WrongChecksum as error:
            raise StorageError(
                f"the data file {self.path} is damaged: {error}; it is left unchanged; restore a"
                " copy of it, or, if it was edited on purpose, remove crc32 at its end"
            ) from None
        except InvalidJSON as error:
            raise StorageError(
                f"the data file {self.path} is damaged: it is not JSON ({error}); it is left"
                " unchanged; restore a copy of it"
            ) from None
        except ValueError as error:
            raise StorageError(
                f"the data file {self.path} is not a TinyDB file: {error}; it is left unchanged;"
                " restore a copy of it"
            ) from None

    def _replay(
        self, found: Mapping[int, Path], generation: int, tables: dict[str, Documents]
    ) -> list[Journal]:
        """Applies the journals that were `found` to `tables`; returns those in use, in order.

        Journals of earlier generations are ignored, because the snapshot contains their changes.
        The last journal may have a torn end.
        """
        following = [each for each in found if each >= generation]
        if following != list(range(generation, generation + len(following))):
            raise StorageError(
                f"the data file {self.path} does not belong to the journals next to it, perhaps it"
                f" is an older copy: expected its journal of generation {generation}, and those"
                f" that follow it, found {', '.join(map(str, following))}; all files are left"
                f" unchanged; restore the right one, or remove {self.path}.journal.* to continue"
                " without the changes since"
            )
        if not following:
            return [Journal(self.path, generation, self._disk)]
        journals = []
        for each in following:
            try:
                with explained(self.path, "read together with its journal"):
                    content = self._disk.read(found[each])
                valid = replay(content, each, tables)
                if valid.torn and each != following[-1]:
                    raise ValueError(
                        f"at byte {valid.end}: expected complete lines, found an incomplete one"
                    )
            except ValueError as error:
                raise StorageError(
                    f"the data file {self.path} cannot be used with its journal: the journal"
                    f" {found[each]} is damaged: {error}; both files are left unchanged; restore"
                    " copies of both, or remove the journal to continue without the changes since"
                ) from None
            journals.append(Journal(self.path, each, self._disk, valid))
        return journals

    def _clean_up(self, current: Journal, past: Iterable[Path]) -> None:
        """Makes durable what was read, and removes what a crash left behind. Raises OSError.

        After a crash of the process only, some of what was read may not be on the disk yet: the
        last write of the `current` journal, and the names of files.
        """
        found = current.found
        if found:
            try:
                current.cut()
            finally:
                current.close()
        self._disk.sync_directory(self.path.parent)
        self._disk.unlink(self._temporary)
        for path in past:
            self._disk.unlink(path)
        if found and found.torn:
            log.warning(
                "the journal %s ended in an incomplete write, as after a kill or a power failure:"
                " dropped its last %d bytes, from byte %d on; the write had not been acknowledged",
                current.path,
                found.torn,
                current.end,
            )


def _copy(tables: Mapping[str, Documents]) -> dict[str, Documents]:
    return {name: {**documents} for name, documents in tables.items()}


def list_journals(data_file: Path, disk: Disk) -> dict[int, Path]:
    """Returns the journals of `data_file` by generation, in order. Raises OSError."""
    name = re.compile(re.escape(data_file.name) + r"\.journal\.([1-9][0-9]*)")
    found = map(name.fullmatch, disk.names(data_file.parent))
    return dict(sorted((int(each[1]), data_file.with_name(each[0])) for each in found if each))


def erase_data_file(data_file: Path, disk: Disk) -> None:
    """Removes a closed data file and its journals. Raises OSError."""
    if not disk.is_directory(data_file.parent):
        return
    # In an order that leaves a valid file if it is interrupted: no journal without its data file.
    for path in reversed(list_journals(data_file, disk).values()):
        disk.unlink(path)
    disk.unlink(data_file.with_name(data_file.name + ".new"))
    disk.sync_directory(data_file.parent)
    disk.unlink(data_file)


def _resolve(path: Path, disk: Disk) -> Path:
    """Resolves symbolic links, so that all names of a file share one lock. Raises OSError."""
    path = disk.resolve(path)
    # Some versions of filelock would create the directory.
    if not disk.is_directory(path.parent):
        raise FileNotFoundError(ENOENT, "its directory does not exist")
    if disk.exists(path) and not disk.is_file(path):
        raise OSError(EINVAL, "it is not a regular file")
    return path
