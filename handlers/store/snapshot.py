"""The snapshot: a TinyDB storage whose file is always whole, the old content or the new."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Never

from tinydb import Storage

from clients_register.handlers.encoding import encoded
from clients_register.handlers.store.disk import LOCAL, Disk
from clients_register.handlers.store.documents import distinct, record_or_members

Tables = Mapping[str, Mapping[str, Any]]

# So many records are encoded at a time. That takes as long as the pause behind it, which those who
# serve requests meanwhile have to themselves: they do two thirds more than with a hundred.
BATCH = 30


def load(content: bytes) -> Any:
    """The JSON in `content`; see `record_or_members` for the objects in it.

    Raises ValueError or RecursionError where it is not JSON in UTF-8, or has two members of one
    name, of which one would silently be lost.
    """
    text = content.decode("utf-8")
    # Only an escape brings half of a surrogate pair into text, and a record is refused for that.
    halves = "\\ud" in text or "\\uD" in text
    hook = distinct if halves else record_or_members
    return json.loads(text, object_pairs_hook=hook, parse_constant=_refused)


class SnapshotStorage(Storage):
    """Readable JSON with a line a record: written beside, synced, renamed over the old file.

    TinyDB's own JSONStorage writes in place, so that a crash between its write and its truncation
    leaves a file that is no JSON.
    """

    def __init__(self, path: Path, disk: Disk = LOCAL) -> None:
        self._path = path
        self._disk = disk
        # The length of the file in bytes, once it was read or written.
        self.size = 0
        self._beside = path.with_name(path.name + ".new")

    def read(self) -> Any:
        """What `load` finds, or None where there is no file."""
        if not self._disk.exists(self._path):
            return None
        content = self._disk.read(self._path)
        self.size = len(content)
        return load(content)

    def write(self, data: Tables) -> None:
        """Makes `data` the content of the file, durably. May run beside other threads.

        If it raises OSError the file has the old content, or, where only the sync of the directory
        failed, the old or the new.
        """
        size = 0
        try:
            self.discard_unfinished()
            with closing(self._disk.create(self._beside)) as file:
                for part in _parts(data):
                    file.write(part)
                    size += len(part)
                    # Others who wait for the interpreter come first: this is background work.
                    time.sleep(0)
                file.sync()
            self._disk.rename(self._beside, self._path)
            self.size = size
        except OSError:
            with suppress(OSError):
                self.discard_unfinished()
            raise
        self._disk.sync_directory(self._path.parent)

    def discard_unfinished(self) -> None:
        """Removes what a write that never came to its end has left. Raises OSError."""
        self._disk.unlink(self._beside)


def _parts(tables: Tables) -> Iterator[bytes]:
    lines = _lines(tables)
    while batch := b"".join(islice(lines, BATCH)):
        yield batch


def _lines(tables: Tables) -> Iterator[bytes]:
    """One line a record: readable, and as quick as the encoder is without indentation."""
    before_table = b"{\n"
    for name, table in tables.items():
        yield b"%b%b: {" % (before_table, encoded(name))
        before_table, before_record = b",\n", b"\n"
        for number, record in table.items():
            yield b"%b%b: %b" % (before_record, encoded(number), encoded(record))
            before_record = b",\n"
        yield b"\n}"
    yield b"\n}\n"


def _refused(constant: str) -> Never:
    raise ValueError(f"{constant} is no number")
