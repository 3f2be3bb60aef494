"""How long the whole conformance suite takes, beside one plain Schemathesis run on the same server.

    python bench/suite.py

It starts the stub on a free port of this machine and measures wall times from the start of each
process to its end, round by round in turn, so that noise meets all of them alike. Printed are
medians; the ratio is to the suite. Schemathesis goes by its own defaults: it takes an undocumented
method's 500, which the page documents, for the server's error, and ends after few requests.
"""

import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clients_register import spec

ROUNDS = 5
COMMAND = [sys.executable, "-m", "clients_register"]


def main() -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "openapi.yaml"
        document.write_text(spec.text("openapi"), "utf-8")
        data = Path(folder) / "data.json"
        serving = [*COMMAND, "serve", "--port", "0", "--data", str(data)]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(serving, stdout=subprocess.PIPE, stderr=quiet, text=True) as server:
            try:
                measure(base_of(server), document)
            finally:
                server.terminate()


def measure(base: str, document: Path) -> None:
    """Runs everything ROUNDS times in turn."""
    runs = {
        "verify, all cases": [*COMMAND, "verify", base, "-q"],
        "verify, one case": [*COMMAND, "verify", base, "-q", "--only", "route/post-registers"],
        "schemathesis run": [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", str(document)),
            *("--url", base, "--no-color"),
        ],
    }
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, command in runs.items():
            started = time.perf_counter()
            subprocess.run(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
            )
            taken[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    whole = medians["verify, all cases"]
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    print(f"medians of {ROUNDS} rounds, wall time of a whole process")
    for name, median in medians.items():
        print(f"{name:<20} {median:6.2f} s  x{median / whole:.2f}")


def base_of(server: subprocess.Popen[str]) -> str:
    """The base URL of a server that has just said where it listens."""
    assert server.stdout is not None
    for line in server.stdout:
        if "listening" in line:
            return line.split()[-1].removesuffix("/clients/register")
    raise SystemExit("the stub did not start")


if __name__ == "__main__":
    main()
