"""Starts the servers for the benchmarks, each by its usual command, on a free local port."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import testers

ROUTE = "/api/v1/clients/register"
PATIENCE = 60.0

# Peer -> its command, if that has another name.
COMMANDS = {"mockoon": "mockoon-cli"}

PRODUCT = [sys.executable, "-m", "clients_register"]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its port and its process."""

    port: int
    pid: int


def free_port() -> int:
    """Returns a port that is not in use."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[Server]:
    """Starts a server and waits until it responds; terminates it at the end of the context."""
    with subprocess.Popen(command, env=testers.ENVIRONMENT, **testers.QUIET) as process:
        try:
            until_answered(port)
            yield Server(port, process.pid)
        finally:
            process.terminate()


def until_answered(port: int) -> None:
    """Waits for the first response."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        try:
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            link.request("POST", ROUTE, b"e30=", {"Content-Type": "text/plain"})
            link.getresponse().read()
            return
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"no server responds on port {port}")


@contextmanager
def product(*options: str, under: Sequence[str] = ()) -> Iterator[Server]:
    """Runs `clients-register serve` with `options` and its own data file.

    `under` is a command that runs the rest of its arguments, such as a profiler.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "data.json")
        command = [*under, *PRODUCT, "serve", "--port", str(port), "--data", data, *options]
        with running(command, port) as server:
            yield server


@contextmanager
def shared(store: str, workers: int) -> Iterator[Server]:
    """Runs `workers` processes of the reference on one database."""
    port = free_port()
    options = ["--reference", "--bcrypt-cost", "4", "--store", store, "--workers", str(workers)]
    with running([*PRODUCT, "serve", "--port", str(port), *options], port) as server:
        yield server


@contextmanager
def bare(kind: str, under: Sequence[str] = ()) -> Iterator[Server]:
    """Runs bare.py, the baseline; `under` as for `product`."""
    port = free_port()
    script = str(Path(__file__).with_name("bare.py"))
    with running([*under, sys.executable, script, str(port), kind], port) as server:
        yield server


@contextmanager
def prism(document: Path) -> Iterator[Server]:
    """Runs Prism's mock of the document."""
    port = free_port()
    with running(
        [str(testers.npm("prism")), "mock", str(document), "--port", str(port)], port
    ) as server:
        yield server


@contextmanager
def wiremock(folder: Path) -> Iterator[Server]:
    """Runs WireMock with the mappings in `folder`."""
    port = free_port()
    command = [*java("wiremock"), "--port", str(port), "--root-dir", str(folder)]
    with running([*command, "--no-request-journal", "--disable-banner"], port) as server:
        yield server


@contextmanager
def mockoon(environment: Path) -> Iterator[Server]:
    """Runs Mockoon on its `environment`, without its log file and admin API."""
    port = free_port()
    command = [str(testers.npm(COMMANDS["mockoon"])), "start", "--data", str(environment)]
    quiet = ["--disable-log-to-file", "--disable-admin-api", "--repair"]
    with running(
        [*command, "--port", str(port), "--hostname", "127.0.0.1", *quiet], port
    ) as server:
        yield server


@contextmanager
def specmatic(document: Path, examples: Path) -> Iterator[Server]:
    """Runs Specmatic's mock of the document."""
    port = free_port()
    command = [*java("specmatic"), "mock", str(document), "--data", str(examples)]
    with running(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--noConsoleLog"], port
    ) as server:
        yield server


def java(name: str) -> list[str]:
    """Returns the command that runs a tool of npm in Java.

    The tool's own command would leave Java running when it is terminated.
    """
    (jar,) = (testers.MODULES.parent / name).glob(f"**/{name}*.jar")
    return ["java", "-jar", str(jar)]


def available(name: str) -> bool:
    """Whether a peer is installed."""
    runs = name not in ("specmatic", "wiremock") or shutil.which("java") is not None
    return runs and testers.npm(COMMANDS.get(name, name)) is not None


def pin(pid: int, core: int) -> None:
    """Keeps a process, its threads and its child processes on one core, now and later."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split():
        pin(int(child), core)


def memory(pid: int) -> int:
    """Returns the resident memory of a process in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def stolen() -> float:
    """Returns how long the hypervisor has kept this machine's processors waiting, in seconds.

    A high share of the time makes measurements of time worthless.
    """
    fields = Path("/proc/stat").read_text("ascii").partition("\n")[0].split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK")


def processor(pid: int) -> float:
    """Returns the CPU time of a process and its child processes in seconds."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except FileNotFoundError:
        # The process has exited in the meantime.
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor(int(child)) for child in children)
