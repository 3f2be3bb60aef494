"""The command `clients-register`, run within the test process, which has imported it long since.

For tests of what a command says and returns. `support.process.run` starts a process of its own, for
tests of signals, pipes and how a process ends.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO
from unittest import mock

from support.process import environment

from clients_register.__main__ import main


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def call(*argv: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Done:
    """Runs the command to its end. Not for tests that run in an event loop."""
    with (
        _captured("stdout") as out,
        _captured("stderr") as err,
        _logging_as_at_start(),
        mock.patch.dict(os.environ, environment(**(env or {})), clear=True),
        contextlib.chdir(cwd or Path.cwd()),
    ):
        code = _exit_code([*argv])
        return Done(code, _written(out), _written(err))


def _exit_code(argv: list[str]) -> int:
    try:
        return main(argv)
    except SystemExit as ended:
        # argparse ends a program so, with a number.
        return ended.code if isinstance(ended.code, int) else 1


@contextlib.contextmanager
def _captured(name: str) -> Iterator[TextIO]:
    """A file in the place of a stream of `sys`: it has a descriptor, which a command may use."""
    with (
        TemporaryFile("w+", encoding="utf-8", newline="") as file,
        mock.patch.object(sys, name, file),
    ):
        yield file


@contextlib.contextmanager
def _logging_as_at_start() -> Iterator[None]:
    """Without the handlers of the tests, so that the log is written where a process writes it."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)


def _written(stream: TextIO) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()
