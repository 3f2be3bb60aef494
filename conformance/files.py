"""The files that a command is asked to write.

They are checked before anything is sent, because a run may take an hour. If one cannot be written
in the end, the others still are.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path


class NotWritable(Exception):
    """Nothing can be written at a path; the message says why."""


def writable_file(text: str) -> Path:
    """Parses an argument that names a file to write. Raises ArgumentTypeError."""
    path = Path(text)
    if reason := _why_not(path, directory=False):
        raise argparse.ArgumentTypeError(f"expected a file that can be written: {path} {reason}")
    return path


def check_directory(path: Path) -> None:
    """Raises NotWritable unless files can be written in the directory `path`."""
    if reason := _why_not(path, directory=True):
        raise NotWritable(f"expected a directory that can be written: {path} {reason}")


def write_files(texts: Mapping[Path, str]) -> list[str]:
    """Writes each text to its file, creating directories; returns one line per failure."""
    failures = []
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        except OSError as error:
            failures.append(f"{path} cannot be written: {error.strerror or error}")
    return failures


def _why_not(path: Path, *, directory: bool) -> str | None:
    existing = next(each for each in (path, *path.parents) if each.exists())
    if existing == path and existing.is_dir() is not directory:
        return "is a file" if directory else "is a directory"
    if existing != path and not existing.is_dir():
        return f"cannot be created: {existing} is not a directory"
    if not os.access(existing, os.W_OK):
        return f"cannot be created: {existing} is read-only for this user"
    return None
