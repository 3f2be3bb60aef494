"""The files that a command is asked to write.

They are looked at before anything is sent, since a run may take an hour. One that cannot be written
after all keeps nothing else from whoever waited: neither the other files nor what is printed.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path


class Unwritable(Exception):
    """Nothing can be written at a place; the message says why, as far as can be seen."""


def writable(text: str) -> Path:
    """A file to be written, as argparse wants it. Raises ArgumentTypeError where it cannot be."""
    path = Path(text)
    if fault := _fault(path, directory=False):
        raise argparse.ArgumentTypeError(f"expected a file that can be written: {path} {fault}")
    return path


def keeps(folder: Path) -> None:
    """Looks whether files can be kept in a directory. Raises Unwritable."""
    if fault := _fault(folder, directory=True):
        raise Unwritable(f"expected a directory that can be written: {folder} {fault}")


def _fault(path: Path, *, directory: bool) -> str | None:
    there = next(each for each in (path, *path.parents) if each.exists())
    if there == path and there.is_dir() is not directory:
        return "is a file" if directory else "is a directory"
    if there != path and not there.is_dir():
        return f"cannot be made: {there} is no directory"
    if not os.access(there, os.W_OK):
        return f"cannot be made: {there} is read-only for this user"
    return None


def write(texts: Mapping[Path, str]) -> list[str]:
    """Writes each text to its file, in directories that are made; what went wrong, a line each."""
    faults = []
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        except OSError as error:
            faults.append(f"{path} cannot be written: {error.strerror or error}")
    return faults
