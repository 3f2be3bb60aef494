"""Measures how long the whole conformance suite takes, compared with other API testers.

    python bench/suite.py

Each tester runs against its own stub, just started on a free local port. The time is the wall time
of the tester's whole process. Each round runs all testers in turn, so that noise affects all of
them equally. The table shows medians, and ratios to the suite. `met` is how many of the 18 statuses
the server returned in one run, which shows what the time was spent on.
"""

import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import testers

from clients_register import spec

ROUNDS = 5
COMMAND = [sys.executable, "-m", "clients_register"]
SUITE = "verify, all cases"


def main() -> None:
    """Runs all testers ROUNDS times, in turn, and prints the table."""
    taken: dict[str, list[float]] = {}
    met: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "openapi.yaml"
        document.write_text(spec.text("openapi"), "utf-8")
        names = list(runs(document, "http://127.0.0.1"))
        for name in names * ROUNDS:
            with stub(Path(folder) / "data.json") as base:
                if command := runs(document, base)[name]:
                    taken.setdefault(name, []).append(wall(command, document.parent))
                    met[name] = statuses(base)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    print(f"medians of {ROUNDS} rounds, wall time of a whole process")
    for name in names:
        if name not in medians:
            print(f"{name:<20} absent; see bench/README.md for how to install it")
            continue
        ratio = medians[name] / medians[SUITE]
        print(f"{name:<20} {medians[name]:6.2f} s  x{ratio:.2f}  met {met[name]:2} of 18")


def runs(document: Path, base: str) -> testers.Commands:
    """Returns the commands to measure, for the server at `base`."""
    one = ["--only", "route/post-registers"]
    return {
        SUITE: [*COMMAND, "verify", base, "-q"],
        "verify, one case": [*COMMAND, "verify", base, "-q", *one],
        **testers.commands(document, base),
    }


@contextmanager
def stub(data: Path) -> Iterator[str]:
    """Starts a stub without data; yields its base URL."""
    data.unlink(missing_ok=True)
    serving = [*COMMAND, "serve", "--stop-on-eof", "--port", "0", "--data", str(data)]
    with subprocess.Popen(
        serving,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            listening = next(line for line in server.stdout if "listening" in line)
            yield listening.split()[-1].removesuffix("/clients/register")
        finally:
            server.terminate()


def wall(command: list[str], folder: Path) -> float:
    """Returns how long the whole process takes, in seconds."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=testers.ENVIRONMENT, check=False, **testers.QUIET)
    return time.perf_counter() - started


def statuses(base: str) -> int:
    """Returns how many statuses the stub at `base` has returned without being forced."""
    with urlopen(f"{base.removesuffix('/api/v1')}/_mock/coverage") as answer:
        return sum(bool(row["natural"]) for row in json.load(answer)["statuses"])


if __name__ == "__main__":
    main()
