"""The command in this process, where nothing about a process of its own is tested."""

import os
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from support.process import environment

from clients_register.__main__ import main


@dataclass(frozen=True)
class Done:
    """How the command ended; the fields are those of `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


def call(*argv: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Done:
    """Runs the command to its end, in `cwd` and in the environment of `support.process.run`."""
    out, err = StringIO(), StringIO()
    with (
        chdir(cwd or Path.cwd()),
        patch.dict(os.environ, environment(**(env or {})), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            code = main([*argv])
        except SystemExit as end:
            # argparse ends the process.
            code = end.code if isinstance(end.code, int) else 1
    return Done(code, out.getvalue(), err.getvalue())
