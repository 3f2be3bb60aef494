"""A data file in use: a snapshot, the journals that go on from it, and how they are compacted.

The snapshot of generation 7 and the journal of generation 7 are the whole store. To compact it, a
journal of generation 8 is begun; meanwhile the store is the snapshot 7 with the journals 7 and 8,
until the snapshot of generation 8, which is what those of 7 make together, takes the old one's
place at once. From then on the journal 7 is of a generation that is over, and is never read again,
whether or not there was time to remove it.
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from filelock import FileLock

from clients_register.handlers.store.contents import Contents, tables_of
from clients_register.handlers.store.journal import Journal
from clients_register.handlers.store.snapshot import SnapshotStorage

# A journal may grow as large as its snapshot: then snapshots are a constant share of all writing,
# and opening reads at most twice what is stored. A small store is not written over and over: a
# journal of this length, of some 7,500 registrations, is read in a fifth of a second.
SMALLEST = 2**23

log = logging.getLogger(__name__)


class DataFile:
    """The files of a store, which this process alone writes. Nothing here looks into a record."""

    def __init__(
        self,
        path: Path,
        lock: FileLock | None,
        storage: SnapshotStorage,
        journals: list[Journal],
    ) -> None:
        """`journals` go on from the snapshot in their order, and the last one is written."""
        self.path = path
        self._lock = lock
        self._storage = storage
        self._journals = journals
        self._compacting = Lock()

    @property
    def journal(self) -> Journal:
        """The journal that is written."""
        return self._journals[-1]

    @property
    def is_large(self) -> bool:
        """Whether it is time to compact the file, and that is not under way."""
        bound = max(SMALLEST, self._storage.size)
        return self.journal.end > bound and not self._compacting.locked()

    def append(self, changes: Iterable[bytes]) -> None:
        """Returns when all `changes` are durable; if it raises OSError, none of them is.

        One thread at a time may be in it.
        """
        self.journal.append(changes)

    def begin_compaction(self) -> None:
        """From now on changes go to the next journal. No append runs; `compact` has to follow.

        Waits for a compaction that is under way.
        """
        # Not only where its thread begins: two would not agree on which journal is the last.
        self._compacting.acquire()
        self.journal.close()
        self._journals = [*self._journals, self.journal.successor(self.path)]

    def compact(self, contents: Contents, generation: int) -> None:
        """Makes a snapshot of `contents`, which stand in the journals before `generation`.

        A thread may be in `append` meanwhile. If it raises OSError, all is as safe as before.
        """
        try:
            self._write(contents, generation)
            *over, writing = self._journals
            for journal in over:
                journal.remove()
            self._journals = [writing]
        finally:
            self._compacting.release()

    def compact_in_background(self, contents: Contents, generation: int) -> None:
        """See `compact`; a failure is told of in the log, and met again by the next attempt."""
        try:
            self.compact(contents, generation)
        except OSError as error:
            log.warning(
                "the data file %s cannot be written anew: %s; nothing is lost, its changes stand in"
                " the journals beside it, and the next attempt is made when they have grown on",
                self.path,
                error,
            )

    def close(self, contents: Contents) -> None:
        """Puts everything into the data file, removes the journals, and lets others open it."""
        try:
            # Waits for a compaction that is under way.
            with self._compacting:
                changed = any(each.end for each in self._journals)
            if changed:
                self.begin_compaction()
                self.compact_in_background(contents, self.journal.generation)
            else:
                self.journal.remove()
        finally:
            self.journal.close()
            if self._lock is not None:
                self._lock.release()

    def _write(self, contents: Contents, generation: int) -> None:
        self._storage.write(tables_of(contents, generation))
