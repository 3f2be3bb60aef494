"""Interruptions that are asked for, and not raised wherever the program happens to be.

A KeyboardInterrupt out of nowhere can leave what is half done, as a world that is being forgotten,
and is lost where nothing can be raised, as when garbage is collected.
"""

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

# Seconds within which the same is meant: `timeout` tells a process and then its group, which is to
# tell the process twice.
ONCE = 1.0


@contextmanager
def terminations() -> Iterator[None]:
    """In this context, who terminates interrupts: a run is brought to its end, and reported.

    Such as `timeout`, or CI that cancels a job. Where interruptions are ignored, as of what a shell
    runs in the background, termination is what it was.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    told = -ONCE

    def terminated(number: int, _frame: FrameType | None) -> None:
        nonlocal told
        if time.monotonic() - told < ONCE:
            return
        told = time.monotonic()
        if not callable(signal.getsignal(signal.SIGINT)):
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def interrupts() -> Iterator[Sequence[int]]:
    """The signals by which somebody has interrupted in this context, for whoever looks.

    A later one is raised: somebody does not want to wait for what is to be brought to its end.
    """
    seen: list[int] = []
    first = 0.0
    before = signal.getsignal(signal.SIGINT)
    # Only the main thread receives signals, and ignored ones stay ignored.
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield seen
        return

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal first
        seen.append(number)
        if len(seen) == 1:
            first = time.monotonic()
        elif time.monotonic() - first >= ONCE:
            before(number, frame)

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)
