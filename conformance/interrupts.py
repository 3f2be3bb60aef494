"""Interruptions that a run looks for, so that it can end properly and report its results.

A KeyboardInterrupt could be raised anywhere: it might leave worlds undeleted, and be lost where
nothing can be raised, as during garbage collection.
"""

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

# Signals within this many seconds count as one: `timeout` signals a process and then its group,
# which reaches the process twice.
REPEAT_SECONDS = 1.0


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Treats SIGTERM as an interruption, so that a cancelled CI job still gets its reports.

    If interruptions are ignored, as in the background of a shell, SIGTERM keeps its usual effect.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    last = -REPEAT_SECONDS

    def on_terminate(number: int, _frame: FrameType | None) -> None:
        nonlocal last
        if time.monotonic() - last < REPEAT_SECONDS:
            return
        last = time.monotonic()
        if not callable(signal.getsignal(signal.SIGINT)):
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, on_terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def collect_interrupts() -> Iterator[Sequence[int]]:
    """Collects interruptions in a list instead of raising them.

    A second one is raised, because the user does not want to wait for a proper end.
    """
    received: list[int] = []
    first = 0.0
    before = signal.getsignal(signal.SIGINT)
    # Only the main thread receives signals, and ignored signals stay ignored.
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield received
        return

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal first
        received.append(number)
        if len(received) == 1:
            first = time.monotonic()
        elif time.monotonic() - first >= REPEAT_SECONDS:
            before(number, frame)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield received
    finally:
        signal.signal(signal.SIGINT, before)
