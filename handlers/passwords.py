"""Passwords: hashed with bcrypt, off the event loop, never kept, logged or answered."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import bcrypt

# What bcrypt reads of a password; the library refuses to hash more (Q-PASSWORD).
MAX_BYTES = 72


def fault_of(password: str) -> str | None:
    """Why `password` cannot be hashed without loss, in the words of `errors`; None if it can."""
    if "\0" in password:
        return "malformed"
    if len(_bytes(password)) > MAX_BYTES:
        return "too_long"
    return None


class Passwords:
    """Hashes and compares. bcrypt lets other threads run, so each core gets a thread."""

    def __init__(self, cost: int) -> None:
        """`cost` is bcrypt's: 4 to 31, each step doubles the work."""
        self._cost = cost
        self._threads = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="bcrypt")

    async def hash(self, password: str) -> str:
        """The bcrypt text of `password`, which `fault_of` found nothing wrong with."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._hash, _bytes(password))

    async def match(self, password: str, hashed: str) -> bool:
        """Whether `hashed` was made of `password`. Of one that has a fault, none was."""
        if fault_of(password) is not None:
            return False
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, bcrypt.checkpw, _bytes(password), hashed.encode()
        )

    def close(self) -> None:
        """Ends the threads once what they are hashing is done."""
        self._threads.shutdown()

    def _hash(self, password: bytes) -> str:
        return bcrypt.hashpw(password, bcrypt.gensalt(self._cost)).decode()


def _bytes(password: str) -> bytes:
    # Half a surrogate pair is no character, and yet no reason to crash.
    return password.encode("utf-8", "surrogatepass")
