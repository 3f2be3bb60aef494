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


def load(
    server: servers.Server,
    kind: str,
    connections: int,
    seconds: int,
    *,
    run: str,
    path: str = servers.ROUTE,
    core: int | None = None,
) -> Load:
    """Puts `server` under that kind of load. The word `run` makes the addresses of this run unique.

    With `core`, wrk stays on that one.
    """
    pinned = () if core is None else ("taskset", "-c", str(core))
    command = [
        *(*pinned, "wrk", "--latency", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", SCRIPT),
        *(f"http://127.0.0.1:{server.port}{path}", "--", kind, run),
    ]
    before = servers.processor(server.pid)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    busy = servers.processor(server.pid) - before
    if "Socket errors" in said or ("Non-2xx" in said and kind == "registered"):
        print(f"{kind}: expected only responses, found in\n{said}", file=sys.stderr)
    rate = re.search(r"Requests/sec: +([0-9.]+)", said)
    answers = re.search(r"([0-9]+) requests in", said)
    latency = re.search(r"99% +([0-9.]+)(us|ms|s)", said)
    assert rate and answers and latency, said
    return Load(float(rate[1]), busy / int(answers[1]), float(latency[1]) * _SECONDS[latency[2]])
