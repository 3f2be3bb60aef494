"""The snapshot: a TinyDB storage that replaces its file atomically."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Never

from tinydb import Storage

from clients_register.handlers.models import encode_json
from clients_register.handlers.store.codec import decode_object, decode_unique
from clients_register.handlers.store.disk import LOCAL, Disk

Tables = Mapping[str, Mapping[str, Any]]

# Records encoded between two pauses. With a hundred, requests served meanwhile would have only 60 %
# of the throughput.
BATCH_SIZE = 30


def load(content: bytes) -> Any:
    """Parses JSON; see `decode_object` for its objects.

    Raises ValueError or RecursionError for anything but JSON in UTF-8, and for duplicate names, of
    which one would be lost silently.
    """
    text = content.decode("utf-8")
    # Lone surrogates, which are not allowed in records, can only come from escapes.
    has_surrogates = "\\ud" in text or "\\uD" in text
    hook = decode_unique if has_surrogates else decode_object
    return json.loads(text, object_pairs_hook=hook, parse_constant=_refuse_constant)


class SnapshotStorage(Storage):
    """Readable JSON, one line per record: written to a temporary file, synced, and renamed.

    TinyDB's own JSONStorage writes in place; a crash between its write and its truncation would
    leave a file that is not JSON.
    """

    def __init__(self, path: Path, disk: Disk = LOCAL) -> None:
        self._path = path
        self._disk = disk
        # The size of the file in bytes, once it was read or written.
        self.size = 0
        self._temporary = path.with_name(path.name + ".new")

    def read(self) -> Any:
        """Returns the parsed file; None if there is none."""
        if not self._disk.exists(self._path):
            return None
        content = self._disk.read(self._path)
        self.size = len(content)
        return load(content)

    def write(self, data: Tables) -> None:
        """Replaces the content of the file, durably. May run in a background thread.

        If it raises OSError, the file has its old content; the old or the new one if the sync of
        the directory failed.
        """
        size = 0
        try:
            self.discard_unfinished()
            with closing(self._disk.create(self._temporary)) as file:
                for batch in _batches(data):
                    file.write(batch)
                    size += len(batch)
                    # Background work: let other threads have the interpreter lock.
                    time.sleep(0)
                file.sync()
            self._disk.rename(self._temporary, self._path)
            self.size = size
        except OSError:
            with suppress(OSError):
                self.discard_unfinished()
            raise
        self._disk.sync_directory(self._path.parent)

    def discard_unfinished(self) -> None:
        """Removes the temporary file of an interrupted write. Raises OSError."""
        self._disk.unlink(self._temporary)


def _batches(tables: Tables) -> Iterator[bytes]:
    lines = _lines(tables)
    while batch := b"".join(islice(lines, BATCH_SIZE)):
        yield batch


def _lines(tables: Tables) -> Iterator[bytes]:
    """Yields one line per record: readable, and as fast as encoding without indentation."""
    before_table = b"{\n"
    for name, table in tables.items():
        yield b"%b%b: {" % (before_table, encode_json(name))
        before_table, before_record = b",\n", b"\n"
        for number, record in table.items():
            yield b"%b%b: %b" % (before_record, encode_json(number), encode_json(record))
            before_record = b",\n"
        yield b"\n}"
    yield b"\n}\n"


def _refuse_constant(constant: str) -> Never:
    raise ValueError(f"{constant} is not a number")
