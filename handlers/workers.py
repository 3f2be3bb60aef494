"""Worker processes that share one socket: started, replaced when one dies, stopped gracefully.

Workers are forked before the server is imported, so that random values drawn at import, such as the
first request id, differ between them.

Parent and workers communicate through two pipes rather than by process ids, which may be reused
once a process has ended. Only the parent holds the writing end of the first pipe, so a worker that
reads end-of-file from it is an orphan. The leader, worker 0, writes to the second pipe when it is
ready. The parent sends signals only to workers that it has not reaped, whose ids cannot have been
reused.
"""

import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Never

log = logging.getLogger(__name__)

HANDLED_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGCHLD})

# Delay before a worker that died is replaced, in seconds: it may die again immediately.
RESTART_DELAY = 1


class Worker:
    """A worker process, from its own point of view."""

    def __init__(self, parent_pipe: int, ready_pipe: int, *, leads: bool, restarted: bool) -> None:
        """`parent_pipe` reaches end-of-file when the parent ends, which reads `ready_pipe`.

        The worker that `leads` prints the banner, unless it was `restarted`.
        """
        self.leads = leads
        self.prints_banner = leads and not restarted
        self._parent_pipe = parent_pipe
        self._ready_pipe = ready_pipe

    def notify_ready(self) -> None:
        """Notifies the parent that this worker is ready; the parent then starts the others."""
        if self.leads:
            with suppress(BrokenPipeError):
                os.write(self._ready_pipe, b"\0")

    @property
    def is_orphan(self) -> bool:
        """Whether the parent has ended, so that nothing else would stop this process."""
        try:
            return os.read(self._parent_pipe, 1) == b""
        except BlockingIOError:
            return False


class Pipe:
    """A pipe with a non-blocking reading end."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)

    def close(self) -> None:
        """Closes both ends."""
        os.close(self.reader)
        os.close(self.writer)


class Workers:
    """Supervises `count` workers. Worker 0 is the leader."""

    def __init__(
        self,
        count: int,
        run_worker: Callable[[Worker], int],
        close_socket: Callable[[], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        """`run_worker` runs in each worker until SIGTERM, and returns its exit code.

        `close_socket` is called in the parent when no more workers will be started. `is_stopping`
        says whether SIGINT or SIGTERM was received.
        """
        self._count = count
        self._run_worker = run_worker
        self._close_socket = close_socket
        self._is_stopping = is_stopping
        self._running: dict[int, int] = {}
        self._started: set[int] = set()
        # When to start missing workers, by the monotonic clock.
        self._restart_at: float | None = None
        self._parent_pipe: Pipe
        self._ready_pipe: Pipe

    def run(self) -> int:
        """Runs until all workers have stopped, or until the leader fails to start.

        Returns the exit code of the leader.
        """
        # Signals are unblocked only while the parent waits, so that none arrives during a fork.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
        self._parent_pipe, self._ready_pipe = Pipe(), Pipe()
        try:
            with _signal_socket() as wakeup:
                return self._supervise(wakeup, mask)
        finally:
            self._parent_pipe.close()
            self._ready_pipe.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _supervise(self, wakeup: socket.socket, mask: set[int | signal.Signals]) -> int:
        self._restart_at = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(wakeup, selectors.EVENT_READ)
            selector.register(self._ready_pipe.reader, selectors.EVENT_READ)
            while not self._is_stopping():
                for number, code in self._reap():
                    if code == 1 and not self._running and self._started == {0}:
                        return code
                    log.error(
                        "worker %d of %d ended unexpectedly, with %d; it is replaced",
                        *(number + 1, self._count, code),
                    )
                    self._restart_at = time.monotonic() + RESTART_DELAY
                with suppress(BlockingIOError):
                    os.read(self._ready_pipe.reader, 1)
                    self._restart_at = time.monotonic()
                if self._restart_at is not None and self._restart_at <= time.monotonic():
                    self._restart_at = None
                    self._start_missing(mask)
                timeout = (
                    None
                    if self._restart_at is None
                    else max(0, self._restart_at - time.monotonic())
                )
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                selector.select(timeout)
                signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
                with suppress(BlockingIOError):
                    wakeup.recv(64)
        return self._stop_all()

    def _start_missing(self, mask: set[int | signal.Signals]) -> None:
        """Starts the leader alone, and the others once it is ready."""
        wanted = range(self._count) if self._started else range(1)
        for number in set(wanted) - set(self._running.values()):
            process = os.fork()
            if process == 0:
                self._run_child(number, mask)
            self._running[process] = number
            self._started.add(number)

    def _run_child(self, number: int, mask: set[int | signal.Signals]) -> Never:
        code = 1
        try:
            os.close(self._parent_pipe.writer)
            os.close(self._ready_pipe.reader)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # A terminal signals the whole process group, but the parent stops the workers.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            worker = Worker(
                self._parent_pipe.reader,
                self._ready_pipe.writer,
                leads=number == 0,
                restarted=number in self._started,
            )
            code = self._run_worker(worker)
        except BaseException:
            log.exception("worker %d of %d crashed", number + 1, self._count)
        finally:
            for stream in (sys.stdout, sys.stderr):
                # None if it was closed before the start.
                if stream is not None:
                    with suppress(OSError):
                        stream.flush()
            os._exit(code)

    def _reap(self) -> Iterator[tuple[int, int]]:
        """Yields number and exit code of each ended worker; negative codes are signals.

        Other children are ignored: as init process of a container, this one may adopt orphans.
        """
        for process in [*self._running]:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                yield self._running.pop(process), os.waitstatus_to_exitcode(status)

    def _stop_all(self) -> int:
        """Stops all workers, and returns the exit code of the leader."""
        self._close_socket()
        for process in self._running:
            os.kill(process, signal.SIGTERM)
        codes = {
            number: os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            for process, number in self._running.items()
        }
        return codes.get(0, 0)


@contextmanager
def _signal_socket() -> Iterator[socket.socket]:
    """Yields a socket that becomes readable when a signal arrives, including SIGCHLD."""
    wakeup, wakeup_writer = socket.socketpair()
    with wakeup, wakeup_writer:
        for each in (wakeup, wakeup_writer):
            os.set_blocking(each.fileno(), False)
        previous_handler = signal.signal(signal.SIGCHLD, lambda *_: None)
        previous_fd = signal.set_wakeup_fd(wakeup_writer.fileno(), warn_on_full_buffer=False)
        try:
            yield wakeup
        finally:
            signal.set_wakeup_fd(previous_fd)
            signal.signal(signal.SIGCHLD, previous_handler)
