"""The one limit after which a test calls something hung, and what watches for it.

The limit counts from the last sign of life of what is watched, and no test passes or fails by any
other clock: a test that waits this long has failed already. `TEST_HANG_SCALE` multiplies the limit
on a slow machine.
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Seconds without a sign of life.
LIMIT = 60.0 * float(os.environ.get("TEST_HANG_SCALE", "1"))

# Seconds between two looks at what is watched.
INTERVAL = 0.5


class Hung(AssertionError):
    """Something that a test waits for shows no sign of life any more."""


class Watch:
    """Notices when nothing has changed for `LIMIT` seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._signs: object = None
        self._last = clock()

    def check(self, *signs: object) -> None:
        """Compares `signs` with those of the call before. Raises Hung."""
        now = self._clock()
        if signs != self._signs:
            self._signs, self._last = signs, now
        elif now - self._last > LIMIT:
            raise Hung(f"no sign of life for {LIMIT:g} seconds")


def until(condition: Callable[[], bool]) -> None:
    """Polls `condition` until it holds. Raises Hung."""
    watch = Watch()
    while not condition():
        watch.check()
        time.sleep(0.01)


def communicate(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Waits until `process` ends; returns what it has written to its pipes.

    A process that hangs is killed. Raises Hung.
    """
    watch = Watch()
    while True:
        try:
            out, err = process.communicate(timeout=INTERVAL)
        except subprocess.TimeoutExpired as waiting:
            written = waiting.output or b"", waiting.stderr or b""
            try:
                watch.check(written, processor_seconds(process.pid))
            except Hung as hung:
                process.kill()
                raise Hung(f"{process.args!r}: {hung}; it wrote {written!r}") from None
        else:
            return out or "", err or ""


@contextmanager
def kill_when_hung(process: subprocess.Popen[str]) -> Iterator[None]:
    """Kills `process` if it hangs in the context, so that reading its output comes to an end."""
    done = threading.Event()

    def keep_watch() -> None:
        watch = Watch()
        with suppress(Hung):
            while not done.wait(INTERVAL):
                watch.check(processor_seconds(process.pid))
            return
        process.kill()

    thread = threading.Thread(target=keep_watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def processor_seconds(pid: int) -> int:
    """Processor time that a process and its descendants have used, 0 where there is no /proc.

    In whole seconds: an idle server uses some milliseconds a minute, and may hang all the same.
    """
    return sum(_ticks(each) for each in _family(pid)) // _TICKS_PER_SECOND


def children(pid: int) -> list[int] | None:
    """The child processes of a process, oldest first; None where there is no /proc."""
    try:
        tasks = [*Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return None
    found: list[int] = []
    for task in tasks:
        with suppress(OSError):
            found += map(int, (task / "children").read_text().split())
    return found


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in children(pid) or ():
        yield from _family(child)


def _ticks(pid: int) -> int:
    """Clock ticks in user and kernel mode, with those of children that were waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
