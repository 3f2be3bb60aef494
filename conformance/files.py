"""The files that a command is asked to write.

Reports are opened before anything is sent, because a run may take an hour. If one cannot be written
in the end, the others still are.
"""

import argparse
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


class NotWritable(Exception):
    """Nothing can be written at a path; the message says why."""


class OutputFiles:
    """Files that are open for writing; their content is kept until they are written."""

    def __init__(self) -> None:
        self._open: dict[Path, BinaryIO] = {}
        self._created: set[Path] = set()

    def open(self, path: Path) -> None:
        """Opens a file, creating it and its directories.

        Raises NotWritable, also if the file is open already.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                self._created.add(path)
            file = path.open("ab")
        except OSError as error:
            reason = error.strerror or error
            raise NotWritable(
                f"expected a file that can be written: {path} cannot be opened: {reason}"
            ) from None
        opened = os.fstat(file.fileno())
        if any(os.path.samestat(opened, os.fstat(each.fileno())) for each in self._open.values()):
            file.close()
            raise NotWritable(f"expected a file of its own for each output, found {path} twice")
        self._open[path] = file

    def write(self, texts: Mapping[Path, str]) -> list[str]:
        """Writes each text to its file, which was opened; returns one line per failure."""
        failures = []
        for path, text in texts.items():
            self._created.discard(path)
            try:
                with self._open.pop(path) as file:
                    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                        file.truncate(0)
                    file.write(text.encode())
            except OSError as error:
                failures.append(_describe_failure(path, error))
        return failures

    def close(self) -> None:
        """Closes the files that were not written, and removes those of them that are new."""
        for file in self._open.values():
            file.close()
        for path in self._created:
            with suppress(OSError):
                path.unlink()


@contextmanager
def open_files(paths: Iterable[Path | None]) -> Iterator[OutputFiles]:
    """Opens the files at `paths` for the time of the context. Raises NotWritable."""
    files = OutputFiles()
    try:
        for path in paths:
            if path is not None:
                files.open(path)
        yield files
    finally:
        files.close()


def writable_file(text: str) -> Path:
    """Parses an argument that names a file to write. Raises ArgumentTypeError."""
    path = Path(text)
    if reason := _find_obstacle(path, directory=False):
        raise argparse.ArgumentTypeError(f"expected a file that can be written: {path} {reason}")
    return path


def check_directory(path: Path) -> None:
    """Raises NotWritable unless files can be written in the directory `path`."""
    if reason := _find_obstacle(path, directory=True):
        raise NotWritable(f"expected a directory that can be written: {path} {reason}")


def write_files(texts: Mapping[Path, str]) -> list[str]:
    """Writes each text to its file, creating directories; returns one line per failure."""
    failures = []
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        except OSError as error:
            failures.append(_describe_failure(path, error))
    return failures


def _describe_failure(path: Path, error: OSError) -> str:
    return f"{path} cannot be written: {error.strerror or error}"


def _find_obstacle(path: Path, *, directory: bool) -> str | None:
    """Returns why nothing can be written at `path`; None if nothing prevents it."""
    try:
        existing = next(each for each in (path, *path.parents) if each.exists())
    except OSError as error:
        # A name may be too long, or in a directory that this user may not enter.
        return f"cannot be opened: {error.strerror or error}"
    if existing == path and existing.is_dir() is not directory:
        return "is a file" if directory else "is a directory"
    if existing != path and not existing.is_dir():
        return f"cannot be created: {existing} is not a directory"
    if not os.access(existing, os.W_OK):
        return f"cannot be created: {existing} is read-only for this user"
    return None
