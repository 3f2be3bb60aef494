"""A TinyDB storage on a file that is always whole: a crash leaves the old content or the new."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Never

from tinydb import Storage

Tables = dict[str, dict[str, dict[str, Any]]]

_encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def load(path: Path) -> Any:
    """The JSON in the file at `path`.

    Raises OSError where it cannot be read, and ValueError or RecursionError where it is not JSON in
    UTF-8, or has two members of one name, of which one would silently be lost.
    """
    text = path.read_bytes().decode("utf-8")
    return json.loads(text, object_pairs_hook=_distinct, parse_constant=_refused)


class WholeFileStorage(Storage):
    """Readable JSON, replaced as a whole: written beside, synced, then renamed over the old file.

    TinyDB's own JSONStorage writes in place, so that a crash between its write and its truncation
    leaves a file that is no JSON. Here the content is also kept in memory, and never read again.
    """

    def __init__(self, path: Path, tables: Tables | None) -> None:
        """`tables` are what stands in the file at `path`; None where there is none yet."""
        self._path = path
        self._tables = tables
        self._held = False

    def read(self) -> Tables | None:
        """The tables, or None before the first write.

        The caller may put other tables in it, and must change nothing inside of them: what a write
        that failed left there would be taken for stored.
        """
        return None if self._tables is None else dict(self._tables)

    def write(self, data: Tables) -> None:
        """Makes `data` the content. If that fails, the old content stands, in the file and here."""
        if not self._held:
            self._replace(data, self._tables)
        self._tables = data

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Makes one of all writes in the context, at its end; if anything fails, none of them."""
        before = self._tables
        self._held = True
        try:
            yield
            if self._tables is not None:
                self._replace(self._tables, before)
        except BaseException:
            self._tables = before
            raise
        finally:
            self._held = False

    def _replace(self, tables: Tables, before: Tables | None) -> None:
        self._rename(_written(tables))
        try:
            self._sync_directory()
        except OSError:
            # The caller is told that nothing was stored, so it should not turn up later. Where even
            # this fails, it may until the next write; the file is whole in any case.
            with suppress(OSError):
                if before is None:
                    self._path.unlink()
                else:
                    self._rename(_written(before))
            raise

    def _rename(self, content: bytes) -> None:
        beside = self._path.with_name(self._path.name + ".new")
        try:
            beside.unlink(missing_ok=True)
            # Password hashes stand in it: nobody else's business on a shared machine.
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError:
            with suppress(OSError):
                beside.unlink()
            raise

    def _sync_directory(self) -> None:
        # The rename itself is durable once the directory is; Windows has no such call.
        if os.name != "posix":
            return
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _written(tables: Tables) -> bytes:
    """One line a record: readable, and as quick as the encoder is without indentation."""
    shown = {
        name: _object({number: _encoded(record) for number, record in table.items()})
        for name, table in tables.items()
    }
    return f"{_object(shown)}\n".encode()


def _object(members: dict[str, str]) -> str:
    lines = ",\n".join(f"{_encoded(name)}: {value}" for name, value in members.items())
    return f"{{\n{lines}\n}}"


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has two members of one name")
    return members


def _refused(constant: str) -> Never:
    raise ValueError(f"{constant} is no number")
