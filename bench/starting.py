"""How long it takes to start, and what stays in memory.

    python bench/starting.py [--rounds N]

Wall times of whole processes, in turn, medians, with ratios to what cannot be avoided: the import
of Connexion for a server, an empty Python for `--help` and `--version`. Memory is resident, of one
stub that answers by force and so stores nothing, after 10,000 and after 100,000 requests.
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
    """Seconds that a Python with these words takes."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, **QUIET)
    return time.perf_counter() - begun


def answered(*options: str) -> float:
    """Seconds from the command to the first answer."""
    port = servers.free_port()
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "data.json")
        begun = time.perf_counter()
        command = [*servers.PRODUCT, "serve", "--port", str(port), "--data", data, *options]
        with servers.running(command, port):
            return time.perf_counter() - begun


# name -> (how it is measured, what it is held against, the bar)
MEASURED: dict[str, tuple[Callable[[], float], str, float | None]] = {
    "python -c pass": (lambda: ran("-c", "pass"), "python -c pass", None),
    "--version": (lambda: ran("-m", "clients_register", "--version"), "python -c pass", 6),
    "--help": (lambda: ran("-m", "clients_register", "--help"), "python -c pass", 6),
    "import connexion": (
        lambda: ran("-W", "ignore", "-c", "import connexion"), "import connexion", None,
    ),
    "stub, first answer": (answered, "import connexion", 1.5),
    "reference, first answer": (lambda: answered("--reference"), "import connexion", 1.5),
}  # fmt: skip


def grown() -> tuple[int, int]:
    """Resident bytes of a stub after 10,000 and after 100,000 forced answers."""
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
    """Has so many requests answered, or a few more."""
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
        told = "" if bar is None else f"bar x{bar:g} of {over}"
        print(f"{name:<24} {medians[name] * 1000:7.0f} ms  x{ratio:.2f}  {told}")
    if shutil.which("wrk") is None:
        print("memory: absent; it needs wrk, a package of Debian")
        return
    before, after = grown()
    print(
        f"resident after 10,000 requests {before / 2**20:.1f} MiB, after 100,000"
        f" {after / 2**20:.1f} MiB: x{after / before:.3f}, bar x{MEMORY_BAR:g}"
    )


if __name__ == "__main__":
    main()
