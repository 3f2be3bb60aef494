"""Standard output: UTF-8 on every system, and tolerant of a closed pipe."""

import io
import os
import sys


def prepare() -> None:
    """Makes standard output UTF-8, whatever the locale."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def say(text: str) -> None:
    """Prints optional `text` immediately; ignores errors."""
    try:
        print(text, end="", flush=True)
    except OSError:
        discard()


def flush() -> None:
    """Flushes standard output. Raises BrokenPipeError if its reader has closed it.

    Left to the end of the process, the error would be printed by the interpreter.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def discard() -> None:
    """Discards everything printed so far and from now on, after a failed flush."""
    if sys.stdout is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
