"""The standard streams: UTF-8 on every system, and tolerant of one that is closed or full."""

import io
import os
import sys
from typing import TextIO


def use_utf8() -> None:
    """Makes standard output UTF-8, whatever the locale."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def say(text: str) -> None:
    """Prints `text` immediately; ignores errors, so that it may be lost."""
    try:
        print(text, end="", flush=True)
    except OSError:
        discard()


def complain(message: str) -> None:
    """Prints a message on standard error, if it can be written there."""
    if sys.stderr is None:
        return
    try:
        print(message, file=sys.stderr, flush=True)
    except OSError:
        _redirect_to_nowhere(sys.stderr)


def is_terminal() -> bool:
    """Tells whether standard output is a terminal; a closed one is not."""
    return sys.stdout is not None and sys.stdout.isatty()


def flush() -> None:
    """Flushes standard output. Raises BrokenPipeError if its reader has closed it.

    Left to the end of the process, the error would be printed by the interpreter.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def discard() -> None:
    """Discards everything printed so far and from now on, after a failed flush."""
    if sys.stdout is not None:
        _redirect_to_nowhere(sys.stdout)


def _redirect_to_nowhere(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
