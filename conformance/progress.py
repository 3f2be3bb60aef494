"""A line that tells how far a command is, where somebody watches."""

import sys
import time

# Seconds between two lines: more often nobody can read it.
PACE = 0.1

WIDTH = 30


class Progress:
    """A bar with some words, on standard error, in place of the one before."""

    def __init__(self, *, wanted: bool) -> None:
        """Nothing is shown where it is not `wanted`, or nobody watches."""
        self._shown = wanted and sys.stderr.isatty()
        self._next = 0.0

    def at(self, done: int, of: int, words: str) -> None:
        """So much is done."""
        if not self._shown or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PACE
        bar = "#" * min(WIDTH, done * WIDTH // max(1, of))
        self._put(f"\r[{bar:<{WIDTH}}] {done:,}/{of:,}  {words}\033[K")

    def end(self) -> None:
        """Takes the line away."""
        if self._shown:
            self._put("\r\033[K")

    def _put(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
