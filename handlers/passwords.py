"""Passwords: hashed with bcrypt, off the event loop, never kept, logged or answered."""

import asyncio
import hmac
import os
from concurrent.futures import ThreadPoolExecutor

import bcrypt

from clients_register.handlers.hashing.processes import Ended, Processes

# What bcrypt reads of a password; the library refuses to hash more (Q-PASSWORD).
MAX_BYTES = 72

# More than so many at once are hashed by processes. To have the interpreter again, a thread waits
# for the event loop, which costs under load a fifth of all registrations. Of that a few callers
# notice nothing, and they are spared processes that start and need memory.
CROWD = 8


def fault_of(password: str) -> str | None:
    """Why `password` cannot be hashed without loss, in the words of `errors`; None if it can."""
    if "\0" in password:
        return "malformed"
    if len(_bytes(password)) > MAX_BYTES:
        return "too_long"
    return None


class Passwords:
    """Hashes and compares. bcrypt lets other threads run, so each core gets a thread."""

    def __init__(self, cost: int, workers: int = 1) -> None:
        """`cost` is bcrypt's: 4 to 31, each step doubles the work.

        So many `workers` do this at once, and share the cores.
        """
        self._cost = cost
        self._under_way = 0
        cores = os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="bcrypt")
        self._processes = Processes(max(1, cores // workers))

    async def hash(self, password: str) -> str:
        """The bcrypt text of `password`, which `fault_of` found nothing wrong with."""
        return (await self._hashed(_bytes(password), bcrypt.gensalt(self._cost))).decode()

    async def match(self, password: str, hashed: str) -> bool:
        """Whether `hashed` was made of `password`. Of one that has a fault, none was.

        Raises ValueError where bcrypt cannot have made `hashed`.
        """
        if fault_of(password) is not None:
            return False
        known = hashed.encode()
        return hmac.compare_digest(await self._hashed(_bytes(password), known), known)

    async def close(self) -> None:
        """Ends the threads once what they are hashing is done, and the processes."""
        self._threads.shutdown()
        await self._processes.close()

    async def _hashed(self, password: bytes, salt: bytes) -> bytes:
        self._under_way += 1
        try:
            if self._under_way > CROWD:
                self._processes.start()
            if self._processes.running:
                try:
                    return await self._processes.hashed(password, salt)
                except Ended:
                    # Somebody killed it. Nobody who registers has to know.
                    pass
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, bcrypt.hashpw, password, salt)
        finally:
            self._under_way -= 1


def _bytes(password: str) -> bytes:
    # Half a surrogate pair is no character, and yet no reason to crash.
    return password.encode("utf-8", "surrogatepass")
