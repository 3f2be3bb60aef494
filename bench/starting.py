"""Measures how long starting takes, and how much memory a server keeps.

    python bench/starting.py [--rounds N]

Times are wall times of whole processes, measured in turn. The table shows medians, with the least
and the greatest, and the median of the ratios to the unavoidable part: importing Connexion for a
server, starting Python for `--help` and `--version`. A server has started when it has sent its
first response; the other mocks are those of serving.py.

Memory is the resident set of one stub after 10,000 and after 100,000 requests, whose responses are
forced, so that nothing is stored.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import peers
import servers
import wrk
from testers import QUIET

MEMORY_BAR = 1.1


def ran(*words: str) -> float:
    """Returns how long Python takes with these arguments, in seconds."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, **QUIET)
    return time.perf_counter() - begun


def answered(start: Callable[[], AbstractContextManager[servers.Server]]) -> float:
    """Returns the time from the command to the first response, in seconds."""
    begun = time.perf_counter()
    with start():
        return time.perf_counter() - begun


# How it is measured, what it is compared with, and the target.
Row = tuple[Callable[[], float], str, float | None]

IMPORT = "import connexion"


def rows(folder: Path) -> dict[str, Row]:
    """Returns what is measured, by name; prints the names of tools that are not installed."""
    found: dict[str, Row] = {
        "python -c pass": (partial(ran, "-c", "pass"), "python -c pass", None),
        "--version": (partial(ran, "-m", "clients_register", "--version"), "python -c pass", 6),
        "--help": (partial(ran, "-m", "clients_register", "--help"), "python -c pass", 6),
        IMPORT: (partial(ran, "-W", "ignore", "-c", "import connexion"), IMPORT, None),
        "stub": (partial(answered, servers.product), IMPORT, 1.25),
        "reference": (partial(answered, partial(servers.product, "--reference")), IMPORT, 1.25),
    }
    for name, start in peers.starts(folder).items():
        found[name] = partial(answered, start), IMPORT, None
    return found


def grown() -> tuple[int, int]:
    """Returns the resident bytes of a stub after 10,000 and after 100,000 forced responses."""
    port = servers.free_port()
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "data.json")
        command = [*servers.PRODUCT, "serve", "--port", str(port), "--data", data]
        with servers.running(command, port) as server:
            forced(port, 10_000)
            before = servers.memory(server.pid)
            forced(port, 90_000)
            return before, servers.memory(server.pid)


def forced(port: int, requests: int) -> None:
    """Sends at least this many requests."""
    url = f"http://127.0.0.1:{port}{servers.ROUTE}"
    while requests > 0:
        command = ["wrk", "-t1", "-c8", "-d1s", "-s", wrk.SCRIPT, url, "--", "forced"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        requests -= int(said.partition(" requests in")[0].split()[-1])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    wrk.require()
    with tempfile.TemporaryDirectory() as folder:
        measured = rows(Path(folder))
        taken: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(rounds):
            for name, (measure, _, _) in measured.items():
                taken[name].append(measure())
    print(f"medians of {rounds} rounds (least to greatest), ms")
    for name, (_, over, bar) in measured.items():
        times = [seconds * 1000 for seconds in taken[name]]
        ratio = statistics.median(a / b for a, b in zip(taken[name], taken[over], strict=True))
        spread = f"({min(times):.0f} to {max(times):.0f})"
        told = "" if bar is None else f"target x{bar:g} of {over}"
        print(f"{name:<18}{statistics.median(times):7.0f} {spread:<18} x{ratio:<6.2f} {told}")
    before, after = grown()
    print(
        f"resident after 10,000 requests {before / 2**20:.1f} MiB, after 100,000"
        f" {after / 2**20:.1f} MiB: x{after / before:.3f}, target x{MEMORY_BAR:g}"
    )


if __name__ == "__main__":
    main()
