"""Processes of `support.storing`, and what they leave."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from support.process import PATIENCE, environment

from clients_register.handlers.store.tinydb import TinyDBStore

T = TypeVar("T")

TESTS = Path(__file__).parents[1]


def begun(*words: object) -> subprocess.Popen[str]:
    """A process of `support.storing`, whose output can be read."""
    # Without what measures coverage: whoever is killed, or may not write, cannot tell of it.
    env = environment(PYTHONPATH=str(TESTS))
    return subprocess.Popen(
        [sys.executable, "-m", "support.storing", *map(str, words)],
        env={name: value for name, value in env.items() if not name.startswith("COVERAGE_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(*words: object) -> tuple[int, list[str]]:
    """Exit code and output of a process of `support.storing` that ends by itself."""
    with begun(*words) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert err == ""
    return process.returncode, out.splitlines()


def asked(path: Path, question: Callable[[TinyDBStore], Coroutine[Any, Any, T]]) -> T:
    """Opens the store at `path`, asks it, and closes it."""

    async def ask() -> T:
        store = TinyDBStore(path, public_allowed=True)
        answer = await question(store)
        await store.close()
        return answer

    return asyncio.run(ask())
