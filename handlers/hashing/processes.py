"""The processes that hash, as the server sees them: started, asked, replaced where one ends."""

import asyncio
import logging
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import cast

from clients_register.handlers.hashing import child

log = logging.getLogger(__name__)

# Not by the name of the module: whatever its package imports would take time and memory. And
# nothing is imported from where the program, or the user, happens to be.
COMMAND = (sys.executable, "-P", str(Path(child.__file__)))

# Consecutive failed starts after which no more are tried. A single failure may be a process that
# was killed while it started.
TRIES = 3


class Ended(Exception):
    """A process ended before it answered."""


class Processes:
    """Up to so many processes that hash."""

    def __init__(self, count: int) -> None:
        """None is started until `start` asks for them."""
        self._count = count
        self._running: list[Hasher] = []
        self._starting: asyncio.Task[None] | None = None
        self._given_up = False

    @property
    def running(self) -> bool:
        """Whether `hashed` may be called."""
        return bool(self._running)

    def start(self) -> None:
        """Starts those that are not there, and does not wait for them."""
        if len(self._running) < self._count and self._starting is None and not self._given_up:
            self._starting = asyncio.create_task(self._start())

    async def hashed(self, password: bytes, salt: bytes) -> bytes:
        """What `bcrypt.hashpw` makes of them, by whoever has least to do.

        Raises ValueError where bcrypt refuses the salt, and Ended.
        """
        return await min(self._running, key=Hasher.load).hashed(password, salt)

    async def close(self) -> None:
        """Ends them all, whatever they are at."""
        self._given_up = True
        if self._starting is not None:
            await self._starting
        for hasher in [*self._running]:
            await hasher.close()

    async def _start(self) -> None:
        failures = 0
        try:
            while len(self._running) < self._count and not self._given_up:
                try:
                    await self._start_one()
                    failures = 0
                except (OSError, Ended) as error:
                    failures += 1
                    if failures == TRIES:
                        self._give_up(error)
        finally:
            self._starting = None

    async def _start_one(self) -> None:
        hasher = await started()
        self._running.append(hasher)
        hasher.ended.add_done_callback(lambda _: self._running.remove(hasher))

    def _give_up(self, error: Exception) -> None:
        self._given_up = True
        log.warning(
            "passwords are hashed by threads of the server alone, which takes longer where many"
            " are at once: expected %s to start, found %s",
            " ".join(COMMAND),
            error,
        )


class Hasher(asyncio.SubprocessProtocol):
    """One process. It answers in the order in which it is asked."""

    def __init__(self) -> None:
        """To be connected by the event loop."""
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[bytes] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._asked = deque([self.ready])
        self._rest = b""
        self._process: asyncio.SubprocessTransport
        self._questions: asyncio.WriteTransport

    def load(self) -> int:
        """How many answers are waited for."""
        return len(self._asked)

    async def hashed(self, password: bytes, salt: bytes) -> bytes:
        """See `Processes.hashed`."""
        if self._questions.is_closing():
            raise Ended("that it ended")
        self._questions.write(child.frame(password, salt))
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        if not (hashed := await answer):
            raise ValueError("bcrypt refuses the salt")
        return hashed

    async def close(self) -> None:
        """Ends the process, whatever it is at."""
        self._process.close()
        await self.ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.SubprocessProtocol`."""
        # Those of uvloop have the methods, and not the base class.
        self._process = cast(asyncio.SubprocessTransport, transport)
        self._questions = cast(asyncio.WriteTransport, self._process.get_pipe_transport(0))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """See `asyncio.SubprocessProtocol`."""
        del fd
        *answers, self._rest = (self._rest + data).split(b"\n")
        for answer in answers:
            asker = self._asked.popleft()
            # A caller who was cancelled waits no more.
            if not asker.done():
                asker.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.SubprocessProtocol`: the process has ended, and all it said was heard."""
        del exc
        self._process.close()
        self.ended.set_result(None)
        for asker in self._asked:
            if not asker.done():
                asker.set_exception(Ended("that it ended"))


async def started() -> Hasher:
    """A process that is ready. Raises OSError, Ended."""
    # In a session of its own: Ctrl-C at a terminal asks the server to stop, which then still wants
    # the answers.
    _, hasher = await asyncio.get_running_loop().subprocess_exec(
        Hasher,
        *COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None,
        start_new_session=True,
    )
    await hasher.ready
    return hasher
