"""Standard output as commands use it: UTF-8 everywhere, and no fuss when its reader has gone."""

import io
import os
import sys


def prepare() -> None:
    """Makes standard output UTF-8, as documents are, whatever the locale says."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def say(text: str) -> None:
    """Prints `text` at once, if anybody reads; for what is no more than a courtesy."""
    try:
        print(text, end="", flush=True)
    except OSError:
        let_go()


def flush() -> None:
    """Hands on what was printed. Raises BrokenPipeError where the reader has gone.

    At the end of a process Python would try once more, and complain.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def let_go() -> None:
    """Sends what is and will be printed nowhere; for after a flush that failed."""
    if sys.stdout is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
