"""Passwords: hashed with bcrypt, off the event loop, and never stored, logged or returned.

A few concurrent hashes run in threads. A thread that has finished a hash waits for the event loop
to release the interpreter lock, which under load costs a fifth of the throughput, so that many
concurrent hashes run in a pool of worker processes (`bcrypt_worker.py`).
"""

import asyncio
import hmac
import logging
import os
import subprocess
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import bcrypt
from typing_extensions import override

from clients_register.handlers import bcrypt_worker

log = logging.getLogger(__name__)

# bcrypt ignores the rest of a password, and the library refuses to hash it (Q-PASSWORD).
MAX_BYTES = 72

# More concurrent hashes than this start the worker processes. Below it, latency is no problem, and
# starting processes would only cost memory.
MAX_IN_THREADS = 8

# By path and not by module name: importing the package would take time and memory. -P keeps the
# working directory off the module search path.
WORKER_COMMAND = (sys.executable, "-P", str(Path(bcrypt_worker.__file__)))

# Consecutive failures to start a worker after which the pool gives up. A single failure may mean
# that the process was killed while starting.
MAX_START_FAILURES = 3


def password_problem(password: str) -> str | None:
    """Why bcrypt cannot hash `password` without loss, as a message of `errors`; None if it can."""
    if "\0" in password:
        return "malformed"
    if len(_encode(password)) > MAX_BYTES:
        return "too_long"
    return None


def hash_password(password: str, cost: int) -> str:
    """Returns the bcrypt hash of `password`, which `password_problem` has accepted.

    For programs without an event loop; the others have a `PasswordHasher`.
    """
    return bcrypt.hashpw(_encode(password), bcrypt.gensalt(cost)).decode()


class PasswordHasher:
    """Hashes and verifies passwords. bcrypt releases the interpreter lock: one thread per core."""

    def __init__(self, cost: int, server_processes: int = 1) -> None:
        """`cost` is bcrypt's, 4 to 31; each step doubles the work.

        `server_processes` is how many servers share the cores of this machine.
        """
        self._cost = cost
        self._active = 0
        cores = os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="bcrypt")
        self._pool = WorkerPool(max(1, cores // server_processes))

    async def hash(self, password: str) -> str:
        """Returns the bcrypt hash of `password`, which `password_problem` has accepted."""
        return (await self._hash(_encode(password), bcrypt.gensalt(self._cost))).decode()

    async def verify(self, password: str, password_hash: str) -> bool:
        """Whether `password_hash` is a hash of `password`.

        Raises ValueError if `password_hash` is not a bcrypt hash.
        """
        if password_problem(password) is not None:
            return False
        known = password_hash.encode()
        return hmac.compare_digest(await self._hash(_encode(password), known), known)

    async def close(self) -> None:
        """Waits for hashes in threads to finish, and ends the worker processes."""
        self._threads.shutdown()
        await self._pool.close()

    async def _hash(self, password: bytes, salt: bytes) -> bytes:
        self._active += 1
        try:
            if self._active > MAX_IN_THREADS:
                self._pool.start()
            if self._pool.is_running:
                try:
                    return await self._pool.hash(password, salt)
                except WorkerExited:
                    # It was killed; a thread takes over, so that the request does not fail.
                    pass
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, bcrypt.hashpw, password, salt)
        finally:
            self._active -= 1


class WorkerExited(Exception):
    """A worker process exited before it answered."""


class WorkerPool:
    """A pool of worker processes, started on demand. A worker that exits is replaced on demand."""

    def __init__(self, size: int) -> None:
        """`size` is the number of processes; none is started until `start` is called."""
        self._size = size
        self._workers: list[BcryptWorker] = []
        self._starting: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def is_running(self) -> bool:
        """Whether there is a worker for `hash`."""
        return bool(self._workers)

    def start(self) -> None:
        """Starts missing workers in the background."""
        if len(self._workers) < self._size and self._starting is None and not self._stopped:
            self._starting = asyncio.create_task(self._start_missing())

    async def hash(self, password: bytes, salt: bytes) -> bytes:
        """Has the least busy worker call `bcrypt.hashpw`.

        Raises ValueError if bcrypt rejects the salt, and WorkerExited.
        """
        return await min(self._workers, key=BcryptWorker.load).hash(password, salt)

    async def close(self) -> None:
        """Ends all workers immediately."""
        self._stopped = True
        if self._starting is not None:
            await self._starting
        for worker in [*self._workers]:
            await worker.close()

    async def _start_missing(self) -> None:
        failures = 0
        try:
            while len(self._workers) < self._size and not self._stopped:
                try:
                    await self._start_one()
                    failures = 0
                except (OSError, WorkerExited) as error:
                    failures += 1
                    if failures == MAX_START_FAILURES:
                        self._give_up(error)
        finally:
            self._starting = None

    async def _start_one(self) -> None:
        worker = await start_bcrypt_worker()
        self._workers.append(worker)
        worker.exited.add_done_callback(lambda _: self._workers.remove(worker))

    def _give_up(self, error: Exception) -> None:
        self._stopped = True
        log.warning(
            "passwords are hashed in threads of the server only, which is slower under load:"
            " expected %s to start, found %s",
            " ".join(WORKER_COMMAND),
            error,
        )


class BcryptWorker(asyncio.SubprocessProtocol):
    """One worker process, which answers requests in order."""

    def __init__(self) -> None:
        """The event loop connects it to its process."""
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[bytes] = loop.create_future()
        self.exited: asyncio.Future[None] = loop.create_future()
        self._pending = deque([self.ready])
        self._buffer = b""
        self._process: asyncio.SubprocessTransport
        self._input: asyncio.WriteTransport

    def load(self) -> int:
        """The number of pending requests."""
        return len(self._pending)

    async def hash(self, password: bytes, salt: bytes) -> bytes:
        """See `WorkerPool.hash`."""
        if self._input.is_closing():
            raise WorkerExited("that it exited")
        self._input.write(bcrypt_worker.encode_request(password, salt))
        result: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._pending.append(result)
        if not (hashed := await result):
            raise ValueError("bcrypt rejects the salt")
        return hashed

    async def close(self) -> None:
        """Ends the process immediately."""
        self._process.close()
        await self.exited

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods, but not the base classes.
        self._process = cast(asyncio.SubprocessTransport, transport)
        self._input = cast(asyncio.WriteTransport, self._process.get_pipe_transport(0))

    @override
    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            result = self._pending.popleft()
            # The request may have been cancelled.
            if not result.done():
                result.set_result(line)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        # The process has exited, and all its output was received.
        self._process.close()
        self.exited.set_result(None)
        for result in self._pending:
            if not result.done():
                result.set_exception(WorkerExited("that it exited"))


async def start_bcrypt_worker() -> BcryptWorker:
    """Starts a worker and waits until it is ready. Raises OSError, WorkerExited."""
    # In its own session: Ctrl-C in a terminal must not end workers while the server still shuts
    # down gracefully and needs them.
    _, worker = await asyncio.get_running_loop().subprocess_exec(
        BcryptWorker,
        *WORKER_COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None,
        start_new_session=True,
    )
    await worker.ready
    return worker


def _encode(password: str) -> bytes:
    # A lone surrogate is not valid Unicode, but must not crash the server.
    return password.encode("utf-8", "surrogatepass")
