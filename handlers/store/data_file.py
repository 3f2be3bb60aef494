"""The files of an open store: a snapshot, the journals that follow it, and their compaction.

Snapshot 7 and journal 7, both of generation 7, make up the store. A compaction begins journal 8;
meanwhile the store is snapshot 7 with journals 7 and 8. Then snapshot 8, which equals snapshot 7
with journal 7, atomically replaces the old snapshot. From then on journal 7 belongs to a past
generation and is never read again, even if a crash prevents its removal.
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from filelock import FileLock

from clients_register.handlers.store.contents import Contents, encode_tables
from clients_register.handlers.store.journal import Journal
from clients_register.handlers.store.snapshot import SnapshotStorage

# Size in bytes below which a journal is never compacted; that of about 7,500 registrations, which
# take a fifth of a second to read. Beyond, a journal may grow as large as its snapshot: snapshots
# are then a constant share of all writes, and opening reads at most twice the stored data.
MIN_COMPACTION_SIZE = 2**23

log = logging.getLogger(__name__)


class DataFile:
    """The files of a store, which only this process writes."""

    def __init__(
        self,
        path: Path,
        lock: FileLock | None,
        storage: SnapshotStorage,
        journals: list[Journal],
    ) -> None:
        """`journals` follow the snapshot, in order; the last one is written to."""
        self.path = path
        self._lock = lock
        self._storage = storage
        self._journals = journals
        self._compacting = Lock()

    @property
    def journal(self) -> Journal:
        """The journal that is written to."""
        return self._journals[-1]

    @property
    def is_large(self) -> bool:
        """Whether a compaction is due and none is running."""
        limit = max(MIN_COMPACTION_SIZE, self._storage.size)
        return self.journal.end > limit and not self._compacting.locked()

    def append(self, changes: Iterable[bytes]) -> None:
        """Returns when all `changes` are durable; if it raises OSError, none of them is.

        Not thread-safe.
        """
        self.journal.append(changes)

    def begin_compaction(self) -> None:
        """Begins the next journal; `compact` has to follow. Must not be called during `append`.

        Waits for a running compaction.
        """
        # Acquired here and not in the thread, so that only one thread changes the list of journals.
        self._compacting.acquire()
        self.journal.close()
        self._journals = [*self._journals, self.journal.successor(self.path)]

    def compact(self, contents: Contents, generation: int) -> None:
        """Writes a snapshot of `contents`: all changes of journals before `generation`.

        `append` may be called meanwhile. If it raises OSError, no data is lost.
        """
        try:
            self._write(contents, generation)
            *past, current = self._journals
            for journal in past:
                journal.remove()
            self._journals = [current]
        finally:
            self._compacting.release()

    def compact_in_background(self, contents: Contents, generation: int) -> None:
        """Calls `compact`; logs a failure, after which the next compaction tries again."""
        try:
            self.compact(contents, generation)
        except OSError as error:
            log.warning(
                "the data file %s cannot be compacted: %s; nothing is lost, its changes are in the"
                " journals next to it, and the next attempt is made when these have grown",
                self.path,
                error,
            )

    def close(self, contents: Contents) -> None:
        """Compacts everything into the data file, removes the journals, and releases the lock."""
        try:
            # Waits for a running compaction.
            with self._compacting:
                has_changes = any(each.end for each in self._journals)
            if has_changes:
                self.begin_compaction()
                self.compact_in_background(contents, self.journal.generation)
            else:
                self.journal.remove()
        finally:
            self.journal.close()
            if self._lock is not None:
                self._lock.release()

    def _write(self, contents: Contents, generation: int) -> None:
        self._storage.write(encode_tables(contents, generation))
