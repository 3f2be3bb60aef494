"""Runs wrk, the load generator, with one thread; load.lua is what it sends."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import servers

SCRIPT = str(Path(__file__).with_name("load.lua"))

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Load:
    """The result of one run: requests per second, CPU time for each, and the latency, in seconds.

    99 % of the requests took no longer than `latency`.
    """

    rate: float
    cost: float
    latency: float


def require() -> None:
    """Ends the benchmark unless wrk is installed."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: run `apt-get install wrk`")


def load(  # noqa: PLR0913 - all but two have one value in most calls
    server: servers.Server,
    kind: str,
    connections: int,
    seconds: int,
    *,
    run: str,
    path: str = servers.ROUTE,
    core: int | None = None,
) -> Load:
    """Puts `server` under that kind of load for some seconds.

    The word `run` makes the addresses of a run unique. With `core`, wrk stays on that one.
    """
    pinned = () if core is None else ("taskset", "-c", str(core))
    command = [
        *(*pinned, "wrk", "--latency", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", SCRIPT),
        *(f"http://127.0.0.1:{server.port}{path}", "--", kind, run),
    ]
    before = servers.processor(server.pid)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    busy = servers.processor(server.pid) - before
    if "Socket errors" in said:
        print(f"{kind}: expected no errors, found in\n{said}", file=sys.stderr)
    rate = re.search(r"Requests/sec: +([0-9.]+)", said)
    answers = re.search(r"([0-9]+) requests in", said)
    latency = re.search(r"99% +([0-9.]+)(us|ms|s)", said)
    assert rate is not None, said
    assert answers is not None, said
    assert latency is not None, said
    return Load(float(rate[1]), busy / int(answers[1]), float(latency[1]) * _SECONDS[latency[2]])
