"""What stands beside a data file: its journals, found, put in order and replayed."""

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from clients_register.handlers.store.contents import Contents
from clients_register.handlers.store.disk import Disk
from clients_register.handlers.store.documents import Misfit
from clients_register.handlers.store.journal import Journal, path_of
from clients_register.handlers.store.replay import DamagedJournal, replay
from clients_register.handlers.store.snapshot import SnapshotStorage

log = logging.getLogger(__name__)


class Unrelated(ValueError):
    """Journals do not go on from the data file they stand beside; the message says how."""


def journals(data_file: Path, disk: Disk) -> dict[int, Path]:
    """The journals beside `data_file` by their generation, in its order. Raises OSError."""
    name = re.compile(re.escape(data_file.name) + r"\.journal\.([1-9][0-9]*)")
    found = map(name.fullmatch, disk.names(data_file.parent))
    return dict(sorted((int(each[1]), data_file.with_name(each[0])) for each in found if each))


def replayed(
    data_file: Path, found: Mapping[int, Path], generation: int, contents: Contents, disk: Disk
) -> list[Journal]:
    """Makes the changes of the journals that were `found` in `contents`; they, in their order.

    Those of generations before that of `contents` are over: the data file holds their changes. The
    last one may have an end that is torn. Raises Unrelated, DamagedJournal, OSError.
    """
    following = [each for each in found if each >= generation]
    if following != list(range(generation, generation + len(following))):
        raise Unrelated(
            f"expected its journal of generation {generation}, and those that go on from it, found"
            f" {', '.join(map(str, following))}"
        )
    if not following:
        return [Journal(path_of(data_file, generation), generation, disk)]
    return [
        _replayed(found[each], each, contents, disk, is_last=each == following[-1])
        for each in following
    ]


def tidy(storage: SnapshotStorage, over: Iterable[Path], writing: Journal, disk: Disk) -> None:
    """Makes durable what was read, and removes what a crash left unfinished. Raises OSError.

    If only the process crashed, some of what was read may not be on the disk yet: the last write of
    the journal that is `writing`, and the names of files.
    """
    found = writing.found
    if found:
        try:
            writing.cut()
        finally:
            writing.close()
    disk.sync_directory(writing.path.parent)
    storage.discard_unfinished()
    for path in over:
        disk.unlink(path)
    if found and found.torn:
        log.warning(
            "the journal %s ended in an incomplete write, as after a kill or a power cut: dropped"
            " its last %d bytes, from byte %d on; the write had not been acknowledged",
            writing.path,
            found.torn,
            writing.end,
        )


def erase(data_file: Path, disk: Disk) -> None:
    """Removes a data file that nobody has open, and its journals. Raises OSError."""
    if not disk.is_directory(data_file.parent):
        return
    # Whenever this is interrupted, a store is left: a journal never without its data file.
    for path in reversed(journals(data_file, disk).values()):
        disk.unlink(path)
    SnapshotStorage(data_file, disk).discard_unfinished()
    disk.sync_directory(data_file.parent)
    disk.unlink(data_file)


def _replayed(
    path: Path, generation: int, contents: Contents, disk: Disk, *, is_last: bool
) -> Journal:
    try:
        good = replay(disk.read(path), generation, contents)
        if good.torn and not is_last:
            raise DamagedJournal(f"at byte {good.end}: expected whole lines, found half of one")
        if is_last:
            contents.check()
    except DamagedJournal as error:
        raise DamagedJournal(f"the journal {path} is damaged: {error}") from None
    except Misfit as error:
        raise DamagedJournal(f"the journal {path} does not fit: {error}") from None
    return Journal(path, generation, disk, good)
