"""Processes of `support.storing`, and what they leave."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from support.hang import LIMIT
from support.process import environment

from clients_register.handlers.store.tinydb import TinyDBStore

T = TypeVar("T")

TESTS = Path(__file__).parents[1]


class Dying:
    """A process of `support.storing`. Use as a context manager, which ends it."""

    def __init__(self, *words: object) -> None:
        # Coverage is not measured: a process that is killed, or may not write, cannot report it.
        env = environment(PYTHONPATH=str(TESTS))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.storing", *map(str, words)],
            env={name: value for name, value in env.items() if not name.startswith("COVERAGE_")},
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Dying":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.__exit__(None, None, None)

    @property
    def code(self) -> int:
        """The exit code, once it has ended."""
        return self._process.wait(LIMIT)

    def lines(self, at_most: int | None = None) -> Iterator[str]:
        """The next lines of its output. It is killed if it is silent for too long."""
        assert self._process.stdout is not None
        for _ in range(sys.maxsize if at_most is None else at_most):
            with self._watched():
                line = self._process.stdout.readline()
            if not line:
                return
            yield line.rstrip("\n")

    def kill(self) -> None:
        self._process.kill()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        watchdog = threading.Timer(LIMIT, self.kill)
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()
            watchdog.join()


def ended(*words: object) -> tuple[int, list[str]]:
    """Exit code and output of a process of `support.storing` that ends by itself."""
    with Dying(*words) as process:
        lines = [*process.lines()]
        return process.code, lines


def asked(path: Path, question: Callable[[TinyDBStore], Coroutine[Any, Any, T]]) -> T:
    """Opens the store at `path`, asks it, and closes it."""

    async def ask() -> T:
        store = TinyDBStore(path, public_allowed=True)
        answer = await question(store)
        await store.close()
        return answer

    return asyncio.run(ask())
