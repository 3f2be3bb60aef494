"""A TinyDB storage on a file that is always whole: a crash leaves the old content or the new."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from tinydb import Storage

Tables = dict[str, dict[str, Any]]


class WholeFileStorage(Storage):
    """Readable JSON, replaced as a whole: written beside, synced, then renamed over the old file.

    TinyDB's own JSONStorage writes in place, so that a crash between its write and its truncation
    leaves a file that is no JSON. The content is kept in memory; the file is read once.
    """

    def __init__(self, path: Path) -> None:
        """`path` need not exist; it appears with the first write. OSError if it is unreadable,
        ValueError (json.JSONDecodeError, UnicodeDecodeError) if it is no JSON in UTF-8.
        """
        self._path = path
        self._tables = self._load()

    def read(self) -> Tables | None:
        """The tables, or None before the first write. The caller may replace tables in it."""
        return None if self._tables is None else dict(self._tables)

    def write(self, data: Tables) -> None:
        """Makes `data` the content. On OSError the old content stands, in the file and here."""
        try:
            self._replace(json.dumps(data, ensure_ascii=False, indent=1).encode())
        except OSError:
            # TinyDB may have changed documents in place before it handed them over.
            self._tables = self._load()
            raise
        self._tables = data

    def _load(self) -> Tables | None:
        if not self._path.exists():
            return None
        tables: Tables = json.loads(self._path.read_bytes().decode("utf-8"))
        return tables

    def _replace(self, content: bytes) -> None:
        beside = self._path.with_name(self._path.name + ".new")
        try:
            # Password hashes stand in it: nobody else's business on a shared machine.
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self._path)
        except OSError:
            with suppress(OSError):
                beside.unlink()
            raise
        self._sync_directory()

    def _sync_directory(self) -> None:
        # The rename itself is durable once the directory is; Windows has no such call.
        if os.name != "posix":
            return
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
