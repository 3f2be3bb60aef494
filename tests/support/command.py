"""The command `clients-register`, and other programs that tests run.

`call` runs the command in the test process, for tests of what it says and returns. `run`, `started`
and `serving` start a process of its own, for tests of signals, pipes and how a process ends. A
program that is absent is skipped by name (`absent`), and in CI that is a failure.
"""

import contextlib
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import NoReturn, TextIO
from unittest import mock

import pytest
from support.limits import LIMIT, child_processes, communicate, kill_when_hung

from clients_register.__main__ import main


def absent(what: str) -> NoReturn:
    """Ends a test that needs `what`, which tells how to get it, too."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def needs_ipv6() -> None:
    """Skips a test by name on a machine without IPv6, which cannot be installed."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")


NPM = Path(__file__).parents[1] / "npm"


def tool(name: str) -> list[str]:
    """The command line that begins with the npm program `name`, under a Node that is new enough.

    Where it is not installed the test is skipped by name; in CI, which must install it, it fails.
    """
    programs = NPM / "node_modules" / ".bin"
    node = shutil.which("node", path=programs)
    program = programs / name
    if node is None or not program.exists():
        absent(f"{name} is not installed: run `npm ci` in {NPM}")
    return [node, str(program.resolve())]


ROOT = Path(__file__).parents[2]

# What tools make in a checkout, and the tests: nothing of it is needed to build the package.
LEFT_OUT = ("__pycache__", ".*", "*.egg-info", "build", "dist", "node_modules", "tests", "venv")


def copy_sources(directory: Path) -> Path:
    """Copies the sources to a new `directory`, where a build may leave files."""
    return Path(shutil.copytree(ROOT, directory, ignore=shutil.ignore_patterns(*LEFT_OUT)))


OPENSSL_ARGUMENTS = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=tests"
    " -addext subjectAltName=IP:127.0.0.1 -addext keyUsage=critical,digitalSignature,keyCertSign"
    " -keyout key.pem -out certificate.pem"
)


def certified(directory: Path) -> Path:
    """A file with a certificate of 127.0.0.1 and its key. Skips where there is no openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        absent("openssl is not installed: run `apt-get install openssl`")
    subprocess.run(
        [openssl, *OPENSSL_ARGUMENTS.split()], cwd=directory, check=True, capture_output=True
    )
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    certificate.write_text(certificate.read_text() + key.read_text())
    return certificate


# A registration as a test author writes it, and the status of the answer.
PREAMBLE = """\
    import httpx2
    import pytest

    def status(world, email="ada@example.test", **headers):
        client = {"email": email, "password": "correct horse"}
        sent = world.send({"application": "planoauth", "client": client}, **headers)
        return sent.json()["status"]
"""

ONE_SUCCESS = """
    def test_success(clients_register):
        assert status(clients_register) == "action-successful"
"""

# Turned off in runs of pytest: plugins of others, which take seconds to import.
OPTIONS = (
    *("-p", "no:cacheprovider", "-p", "no:anyio", "-p", "no:asyncio"),
    *("-p", "no:hypothesispytest", "-p", "no:schemathesis"),
)

Run = Callable[..., pytest.RunResult]


COMMAND = (sys.executable, "-m", "clients_register")


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
        out, err = communicate(process)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: str
    err: str


def children(pid: int) -> list[int]:
    """The processes that another has started, oldest first."""
    found = child_processes(pid)
    if found is None:
        absent("the processes that another has started are read from /proc, which is of Linux")
    return found


class Process:
    """A running `clients-register serve`. It is killed where it hangs while a test waits for it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.banner = ""

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """The processes that it has started, oldest first, where the system tells."""
        return children(self._process.pid)

    def greet(self) -> None:
        """Waits until the server listens, and reads what it says."""
        assert self._process.stdout is not None
        with kill_when_hung(self._process):
            for line in self._process.stdout:
                self.banner += line
                if line.startswith("Stop with"):
                    return
        raise AssertionError(f"the server did not start: {self.ended()}")

    def read_log_line(self) -> str:
        """Waits for the next line on standard error."""
        assert self._process.stderr is not None
        with kill_when_hung(self._process):
            return self._process.stderr.readline()

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

    def write(self, text: str) -> None:
        """Writes to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def end_input(self) -> None:
        """Closes the pipe of standard input, as the end of this process would."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.stdin = None

    def stop_reading(self) -> None:
        """Closes the pipe of standard output, as `head` does."""
        assert self._process.stdout is not None
        self._process.stdout.close()

    def ended(self) -> Ended:
        """Waits for the end."""
        if self._process.stdout is not None and self._process.stdout.closed:
            self._process.stdout = None
        out, err = communicate(self._process)
        return Ended(self._process.returncode, out, err)

    def close(self) -> None:
        """Ends it, if it is still running."""
        self._process.kill()
        self.ended()


@contextmanager
def started(
    *options: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = COMMAND,
    stderr: int = subprocess.PIPE,
) -> Iterator[Process]:
    """`clients-register serve` with `options`, without waiting for it to listen.

    `stderr` is a file descriptor to write to instead of a pipe.
    """
    process = Process(
        subprocess.Popen(
            # It ends with the tests, however they end.
            [*command, "serve", "--stop-on-eof", *options],
            cwd=cwd,
            env=environment(**(env or {})),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    )
    try:
        yield process
    finally:
        process.close()


@contextmanager
def serving(
    *options: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stderr: int = subprocess.PIPE,
) -> Iterator[Process]:
    """`clients-register serve` on a free port, listening."""
    with started("--port", "0", *options, cwd=cwd, env=env, stderr=stderr) as process:
        process.greet()
        yield process


@contextmanager
def reserved_port() -> Iterator[int]:
    """Reserves a port within the context; connections to it are refused.

    On Linux, a server can be started there nevertheless: a socket that is bound but does not listen
    does not keep the port from another that also allows its address to be reused.
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
