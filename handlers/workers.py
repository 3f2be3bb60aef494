"""Several processes that answer on one socket: started, replaced where one dies, ended in order.

Each is forked before anything of the server is imported: what is drawn at random at import, such as
the first id of a request, is then drawn in each of them.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Never

log = logging.getLogger(__name__)

STOPPING = frozenset({signal.SIGINT, signal.SIGTERM})

# Seconds until a process that died is replaced: it may die again of the same.
PAUSE = 1


class Worker:
    """One of the processes, as it sees itself."""

    def __init__(self, parent: int, *, leads: bool, again: bool) -> None:
        """Forked by the process `parent`, which may be gone by now.

        The one that `leads` speaks for all; started `again`, it has been heard before.
        """
        self.leads = leads
        self.greets = leads and not again
        self._parent = parent

    def answers(self) -> None:
        """To be called once it answers: the others follow the one that leads."""
        if self.leads:
            with suppress(ProcessLookupError):
                os.kill(self._parent, signal.SIGUSR1)

    @property
    def is_orphan(self) -> bool:
        """Whether nobody is there any more who would stop it."""
        return os.getppid() != self._parent


class Workers:
    """`count` processes that all do the same work. Number 0 leads."""

    def __init__(
        self, count: int, work: Callable[[Worker], int], let_go: Callable[[], None]
    ) -> None:
        """`work` returns the exit code; it ends early where SIGTERM asks it to.

        `let_go` is called when no more processes will be started: what they share is theirs then.
        """
        self._count = count
        self._work = work
        self._let_go = let_go
        self._running: dict[int, int] = {}
        self._seen: set[int] = set()

    def run(self) -> int:
        """Returns when SIGINT or SIGTERM came and all have ended, or when the first cannot start.

        The exit code is then that of the first one.
        """
        awaited = {*STOPPING, signal.SIGALRM, signal.SIGCHLD, signal.SIGUSR1}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
        try:
            self._start(0, mask)
            while (told := signal.sigwait(awaited)) not in STOPPING:
                if told != signal.SIGCHLD:
                    # The first one answers, or the pause after a death is over.
                    for number in set(range(self._count)) - set(self._running.values()):
                        self._start(number, mask)
                    continue
                for number, code in self._reaped():
                    if code == 1 and not self._running and self._seen == {0}:
                        return code
                    log.error(
                        "worker %d of %d has ended by itself, with %d; another takes its place",
                        *(number + 1, self._count, code),
                    )
                    signal.setitimer(signal.ITIMER_REAL, PAUSE)
            return self._end()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _start(self, number: int, mask: set[int | signal.Signals]) -> None:
        parent = os.getpid()
        process = os.fork()
        if process == 0:
            self._be(number, parent, mask)
        self._running[process] = number
        self._seen.add(number)

    def _be(self, number: int, parent: int, mask: set[int | signal.Signals]) -> Never:
        code = 1
        try:
            # A terminal tells all processes of a group; the parent decides who ends when.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            code = self._work(Worker(parent, leads=number == 0, again=number in self._seen))
        except BaseException:
            log.exception("worker %d of %d crashed", number + 1, self._count)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reaped(self) -> Iterator[tuple[int, int]]:
        """The number and the exit code of each that has ended; below zero it is a signal's."""
        while self._running:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                return
            yield self._running.pop(process), os.waitstatus_to_exitcode(status)

    def _end(self) -> int:
        """Ends all, the first one last: it tells at its end what all have answered."""
        self._let_go()
        code = 0
        for is_first in (False, True):
            ending = [pid for pid, number in self._running.items() if (number == 0) is is_first]
            for process in ending:
                os.kill(process, signal.SIGTERM)
            for process in ending:
                code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        return code
