"""The command as people run it: a process of its own, told by options, signals and pipes."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support import hang
from support.absence import absent
from support.hang import LIMIT
from support.stored import stored

COMMAND = (sys.executable, "-m", "clients_register")

# Some modules import it from here.
until = hang.until


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without what would steer the command or curl, and `changes`."""
    steering = re.compile(r"CLIENTS_REGISTER_.*|PYTHON(PATH|WARNINGS)|.*_proxy", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not steering.fullmatch(name)}
    return kept | changes


def run(
    *argv: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end, in a process of its own: see also `support.command`."""
    return run_program(*COMMAND, *argv, cwd=cwd, env=environment(**(env or {})))


def run_program(
    *argv: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end."""
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        out, err = hang.communicate(process)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: str
    err: str


def children(pid: int) -> list[int]:
    """The processes that another has started, oldest first."""
    found = hang.children(pid)
    if found is None:
        absent("the processes that another has started are read from /proc, which is of Linux")
    return found


class Process:
    """A running `clients-register serve`. It is killed where it hangs while a test waits for it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.banner = ""

    @property
    def workers(self) -> list[int]:
        """The processes that it has started, oldest first, where the system tells."""
        return children(self._process.pid)

    def greet(self) -> None:
        """Waits until the server listens, and reads what it says."""
        assert self._process.stdout is not None
        with hang.kill_when_hung(self._process):
            for line in self._process.stdout:
                self.banner += line
                if line.startswith("Stop with"):
                    return
        raise AssertionError(f"the server did not start: {self.ended()}")

    @property
    def url(self) -> str:
        """The route's URL, as the banner has it."""
        found = re.search(r"listening +(\S+)", self.banner)
        assert found is not None
        return found[1]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, as sockets take them."""
        found = re.search(r"//\[?([^/\]]+)\]?:(\d+)/", self.url)
        assert found is not None
        return found[1], int(found[2])

    @property
    def curl(self) -> str:
        """The line to paste."""
        return self.banner.split("Register a client:\n")[1].splitlines()[0].strip()

    def tell(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self._process.send_signal(number)

    def stop_reading(self) -> None:
        """Closes the pipe of standard output, as `head` does."""
        assert self._process.stdout is not None
        self._process.stdout.close()

    def ended(self) -> Ended:
        """Waits for the end."""
        if self._process.stdout is not None and self._process.stdout.closed:
            self._process.stdout = None
        out, err = hang.communicate(self._process)
        return Ended(self._process.returncode, out, err)

    def close(self) -> None:
        """Ends it, if nobody has."""
        self._process.kill()
        self.ended()


@contextmanager
def started(
    *options: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """`clients-register serve` with `options`, without waiting for it to listen."""
    process = Process(
        subprocess.Popen(
            [*COMMAND, "serve", *options],
            cwd=cwd,
            env=environment(**(env or {})),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    try:
        yield process
    finally:
        process.close()


@contextmanager
def serving(
    *options: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """`clients-register serve` on a free port, listening."""
    with started("--port", "0", *options, cwd=cwd, env=env) as process:
        process.greet()
        yield process


def clients_in(data: Path) -> list[str]:
    """The addresses of the clients that a data file holds, with its journals."""
    users = stored(data)["users"].values()
    return [user["email"] for user in users if user["client"]]


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that the system gives to nobody else in the context; connections to it are refused.

    A server can be told to listen there, though on Linux alone: a socket that is bound but does not
    listen keeps the port from no other that also allows its address to be reused.
    """
    with socket.socket() as reserving:
        reserving.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserving.bind(("127.0.0.1", 0))
        yield reserving.getsockname()[1]


def listens(address: tuple[str, int]) -> bool:
    """Whether a connection is taken there now, or was until a moment ago."""
    try:
        socket.create_connection(address, timeout=LIMIT).close()
    except ConnectionError as error:
        return not isinstance(error, ConnectionRefusedError)
    return True
