"""Measures how long starting takes, and how much memory a server keeps.

    python bench/starting.py [--rounds N]

Times are wall times of whole processes, measured in turn. The table shows medians, with ratios to
the unavoidable part: importing Connexion for a server, starting Python for `--help` and
`--version`. Memory is the resident set of one stub after 10,000 and after 100,000 requests, whose
responses are forced, so that nothing is stored.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import servers
from serving import SCRIPT
from testers import QUIET

MEMORY_BAR = 1.1


def ran(*words: str) -> float:
    """Returns how long Python takes with these arguments, in seconds."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, **QUIET)
    return time.perf_counter() - begun


def answered(*options: str) -> float:
    """Returns the time from the command to the first response, in seconds."""
    port = servers.free_port()
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "data.json")
        begun = time.perf_counter()
        command = [*servers.PRODUCT, "serve", "--port", str(port), "--data", data, *options]
        with servers.running(command, port):
            return time.perf_counter() - begun


# Name -> (how it is measured, what it is compared with, the target).
MEASURED: dict[str, tuple[Callable[[], float], str, float | None]] = {
    "python -c pass": (lambda: ran("-c", "pass"), "python -c pass", None),
    "--version": (lambda: ran("-m", "clients_register", "--version"), "python -c pass", 6),
    "--help": (lambda: ran("-m", "clients_register", "--help"), "python -c pass", 6),
    "import connexion": (
        lambda: ran("-W", "ignore", "-c", "import connexion"), "import connexion", None,
    ),
    "stub, first response": (answered, "import connexion", 1.5),
    "reference, first response": (lambda: answered("--reference"), "import connexion", 1.5),
}  # fmt: skip


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
        command = ["wrk", "-t1", "-c8", "-d1s", "-s", SCRIPT, url, "--", "forced"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        requests -= int(said.partition(" requests in")[0].split()[-1])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {name: [] for name in MEASURED}
    for _ in range(rounds):
        for name, (measure, _, _) in MEASURED.items():
            taken[name].append(measure())
    medians = {name: statistics.median(times) for name, times in taken.items()}
    print(f"medians of {rounds} rounds")
    for name, (_, over, bar) in MEASURED.items():
        ratio = medians[name] / medians[over]
        told = "" if bar is None else f"target x{bar:g} of {over}"
        print(f"{name:<25} {medians[name] * 1000:7.0f} ms  x{ratio:.2f}  {told}")
    if shutil.which("wrk") is None:
        print("memory: not measured; wrk is not installed: run `apt-get install wrk`")
        return
    before, after = grown()
    print(
        f"resident after 10,000 requests {before / 2**20:.1f} MiB, after 100,000"
        f" {after / 2**20:.1f} MiB: x{after / before:.3f}, target x{MEMORY_BAR:g}"
    )


if __name__ == "__main__":
    main()
