"""Several processes that answer on one socket: started, replaced where one dies, stopped in order.

Each is forked before anything of the server is imported: what is drawn at random at import, such as
the first id of a request, is then drawn in each of them.

Workers reach the parent through two pipes and not by its process id, which may belong to another
process once the parent is gone. Only the parent holds the writing end of the first pipe, so a
worker that reads end-of-file there is an orphan. The leader writes to the second pipe when it is
ready. The parent sends signals only to workers that it has not reaped, whose ids cannot be in use
elsewhere.
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

AWAITED = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGCHLD})

# Seconds until a process that died is replaced: it may die again of the same.
PAUSE = 1


class Worker:
    """One of the processes, as it sees itself."""

    def __init__(self, parent: int, answering: int, *, leads: bool, again: bool) -> None:
        """`parent` reaches end-of-file when the parent ends; the parent reads from `answering`.

        The one that `leads` speaks for all; started `again`, it has been heard before.
        """
        self.leads = leads
        self.greets = leads and not again
        self._parent = parent
        self._answering = answering

    def answers(self) -> None:
        """To be called once it answers: the others follow the one that leads."""
        if self.leads:
            with suppress(BrokenPipeError):
                os.write(self._answering, b"\0")

    @property
    def is_orphan(self) -> bool:
        """Whether the parent is gone, so that no other process would stop this one."""
        try:
            return os.read(self._parent, 1) == b""
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
    """`count` processes that all do the same work. Number 0 leads."""

    def __init__(
        self,
        count: int,
        work: Callable[[Worker], int],
        let_go: Callable[[], None],
        stopping: Callable[[], bool],
    ) -> None:
        """`work` returns the exit code; it ends early where SIGTERM asks it to.

        `let_go` is called when no more processes will be started: what they share is theirs then.
        `stopping` tells whether the handlers of SIGINT and SIGTERM were called.
        """
        self._count = count
        self._work = work
        self._let_go = let_go
        self._stopping = stopping
        self._running: dict[int, int] = {}
        self._seen: set[int] = set()
        # When to start the missing workers, by the monotonic clock.
        self._due: float | None = None
        self._alive: Pipe
        self._answering: Pipe

    def run(self) -> int:
        """Returns when it is to stop and all have ended, or when the first cannot start.

        The exit code is then that of the first one.
        """
        # Signals are delivered only while the parent waits, so that none falls into a fork.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
        self._alive, self._answering = Pipe(), Pipe()
        try:
            with _woken_by_signals() as wakened:
                return self._supervise(wakened, mask)
        finally:
            self._alive.close()
            self._answering.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _supervise(self, wakened: socket.socket, mask: set[int | signal.Signals]) -> int:
        self._due = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(wakened, selectors.EVENT_READ)
            selector.register(self._answering.reader, selectors.EVENT_READ)
            while not self._stopping():
                for number, code in self._reaped():
                    if code == 1 and not self._running and self._seen == {0}:
                        return code
                    log.error(
                        "worker %d of %d has ended by itself, with %d; another takes its place",
                        *(number + 1, self._count, code),
                    )
                    self._due = time.monotonic() + PAUSE
                with suppress(BlockingIOError):
                    os.read(self._answering.reader, 1)
                    self._due = time.monotonic()
                if self._due is not None and self._due <= time.monotonic():
                    self._due = None
                    self._start_missing(mask)
                left = None if self._due is None else max(0, self._due - time.monotonic())
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                selector.select(left)
                signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
                with suppress(BlockingIOError):
                    wakened.recv(64)
        return self._end()

    def _start_missing(self, mask: set[int | signal.Signals]) -> None:
        """Starts the first one alone, and the others once it answers."""
        wanted = range(self._count) if self._seen else range(1)
        for number in set(wanted) - set(self._running.values()):
            process = os.fork()
            if process == 0:
                self._be(number, mask)
            self._running[process] = number
            self._seen.add(number)

    def _be(self, number: int, mask: set[int | signal.Signals]) -> Never:
        code = 1
        try:
            os.close(self._alive.writer)
            os.close(self._answering.reader)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # A terminal tells all processes of a group; the parent decides who ends when.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            worker = Worker(
                self._alive.reader,
                self._answering.writer,
                leads=number == 0,
                again=number in self._seen,
            )
            code = self._work(worker)
        except BaseException:
            log.exception("worker %d of %d crashed", number + 1, self._count)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reaped(self) -> Iterator[tuple[int, int]]:
        """The number and the exit code of each that has ended; below zero it is a signal's.

        Orphans that the system hands to this process, such as to the init process of a container,
        are not its business.
        """
        for process in [*self._running]:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                yield self._running.pop(process), os.waitstatus_to_exitcode(status)

    def _end(self) -> int:
        """Stops all workers, and returns the exit code of the first."""
        self._let_go()
        for process in self._running:
            os.kill(process, signal.SIGTERM)
        codes = {
            number: os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            for process, number in self._running.items()
        }
        return codes.get(0, 0)


@contextmanager
def _woken_by_signals() -> Iterator[socket.socket]:
    """A socket that becomes readable when a handled signal arrives; SIGCHLD is one here."""
    wakened, waking = socket.socketpair()
    with wakened, waking:
        for each in (wakened, waking):
            os.set_blocking(each.fileno(), False)
        earlier_handler = signal.signal(signal.SIGCHLD, lambda *_: None)
        earlier_fd = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
        try:
            yield wakened
        finally:
            signal.set_wakeup_fd(earlier_fd)
            signal.signal(signal.SIGCHLD, earlier_handler)
