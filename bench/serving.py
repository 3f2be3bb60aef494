"""Measures responses per second, compared with a minimal server and with other tools.

    python bench/serving.py [--rounds N] [--seconds N] [--no-instructions]

Each server is one process on one core; wrk is on another, with 1 and with 32 connections. All
servers are started first, and wait while another is measured. Each round measures all in turn, and
immediately before each of them the bare application (bare.py) that it is compared with. The table
shows medians of all rounds, of the ratios too, with the least and the greatest ratio.

The instructions per request are counted by callgrind in runs of their own (instructions.py). They
do not include the kernel's, which are much the same for all servers.

forced      a response selected by a header; other tools select it in their own way (peers.py)
refused     a taken address: decoded, validated, looked up, refused by the real rules
registered  stored durably, after bcrypt at cost 4; the bare application does only the bcrypt
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import instructions
import peers
import servers
import wrk

CONNECTIONS = (32, 1)

# These serve the path without the base path of the document.
BASELESS = ("prism", "specmatic")

CORES = sorted(os.sched_getaffinity(0))[:2]


@dataclass(frozen=True)
class Row:
    """A server under one kind of load, and the kind of bare application it is compared with.

    `bars` are the minimum ratios of requests per second with 32 connections and with 1, `slowest`
    is the maximum ratio of the 99th percentiles of latency with 32.
    """

    name: str
    kind: str
    start: Callable[..., AbstractContextManager[servers.Server]]
    bare: str = "bytes"
    bars: tuple[float, float] | None = None
    slowest: float | None = None

    @property
    def path(self) -> str:
        """The path that the server has for the route."""
        baseless = self.name.startswith(BASELESS)
        return servers.ROUTE.removeprefix("/api/v1") if baseless else servers.ROUTE


@dataclass(frozen=True, slots=True)
class Pair:
    """The results of a server, and those of the bare application, measured immediately before."""

    found: wrk.Load
    bare: wrk.Load


def rows(folder: Path) -> list[Row]:
    """Returns the rows to measure; prints the names of tools that are not installed."""
    reference = partial(servers.product, "--reference", "--seed", str(seed(folder)))
    ours = [
        Row("stub, forced", "forced", servers.product, bars=(0.95, 0.85)),
        Row("reference, refused", "refused", reference, bars=(0.50, 0.60), slowest=2.0),
        Row("stub, refused", "refused", servers.product, bars=(0.40, 0.45), slowest=2.0),
        Row("stub, registered", "registered", servers.product, bare="bcrypt", bars=(0.85, 0.72)),
    ]
    others = peers.starts(folder)
    return [*ours, *(Row(f"{name}, forced", "forced", start) for name, start in others.items())]


def seed(folder: Path) -> Path:
    """Writes a seed file with one client, whose address is taken."""
    file = folder / "seed.yaml"
    file.write_text(
        "users: [{id: 1, email: client@personas.test, password: correct horse, client: {id: 2}}]\n"
    )
    return file


def measure(
    measured: Sequence[Row], rounds: int, seconds: int
) -> dict[tuple[Row, int], list[Pair]]:
    """Measures all rows in turn, `rounds` times."""
    pairs: dict[tuple[Row, int], list[Pair]] = {}
    with ExitStack() as stack:
        bare = {kind: stack.enter_context(servers.bare(kind)) for kind in ("bytes", "bcrypt")}
        running = {row: stack.enter_context(row.start()) for row in measured}
        for server in (*bare.values(), *running.values()):
            servers.pin(server.pid, CORES[0])
        for number in range(-1, rounds):
            for row in measured:
                for connections in CONNECTIONS:
                    load = partial(
                        wrk.load, kind=row.kind, connections=connections, seconds=seconds,
                        run=f"{number}c{connections}", core=CORES[1],
                    )  # fmt: skip
                    pair = Pair(bare=load(bare[row.bare]), found=load(running[row], path=row.path))
                    # The first round warms up.
                    if number >= 0:
                        pairs.setdefault((row, connections), []).append(pair)
    return pairs


def count(measured: Iterable[Row]) -> dict[tuple[str, int], float]:
    """Counts the instructions of rows with bars, and of what they are compared with, by name."""
    counted: dict[tuple[str, int], float] = {}
    for row in measured:
        if row.bars is not None:
            bare = partial(servers.bare, row.bare)
            for name, start in ((f"bare, {row.bare}", bare), (row.name, row.start)):
                # With more connections, other processes hash the passwords.
                for connections in (1,) if row.kind == "registered" else CONNECTIONS:
                    if (name, connections) not in counted:
                        under = lambda command, start=start: start(under=command)  # noqa: E731
                        counted[name, connections] = instructions.count(
                            under, row.kind, connections
                        )
    return counted


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--no-instructions", action="store_true")
    options = parser.parse_args()
    wrk.require()
    if CORES[1:] == []:
        raise SystemExit("expected two processors, one of them for wrk; found one")
    with tempfile.TemporaryDirectory() as folder:
        measured = rows(Path(folder))
        begun, stolen_before = time.perf_counter(), servers.stolen()
        pairs = measure(measured, options.rounds, options.seconds)
        elapsed = (time.perf_counter() - begun) * (os.cpu_count() or 1)
        stolen = (servers.stolen() - stolen_before) / elapsed
        counted = {}
        if not options.no_instructions:
            if instructions.available():
                counted = count(row for row in measured)
            else:
                print("instructions: not counted; valgrind is not installed")
    print(f"{options.rounds} rounds of {options.seconds} s, of which the hypervisor took", end=" ")
    print(f"{stolen:.0%}")
    print(f"{'':<20}{'':>4}{'requests/s':>12}{'CPU µs':>9}{'p99 ms':>9}", end="")
    print(f"{'compared with bare':>28}{'target':>8}{'p99':>8}{'target':>8}{'instructions':>22}")
    for row in measured:
        for index, connections in enumerate(CONNECTIONS):
            print(line(row, index, pairs[row, connections], counted))


def line(row: Row, index: int, pairs: Sequence[Pair], counted: dict[tuple[str, int], float]) -> str:
    """Formats the line of a row and a number of connections."""
    connections = CONNECTIONS[index]
    rates = [pair.found.rate / pair.bare.rate for pair in pairs]
    latencies = [pair.found.latency / pair.bare.latency for pair in pairs]
    found = [pair.found for pair in pairs]
    cells = f"{row.name:<20}{connections:>4}"
    cells += f"{statistics.median(each.rate for each in found):>12,.0f}"
    cells += f"{statistics.median(each.cost for each in found) * 1e6:>9,.0f}"
    cells += f"{statistics.median(each.latency for each in found) * 1e3:>9.2f}"
    ratio = f"x{statistics.median(rates):.2f} ({min(rates):.2f} to {max(rates):.2f})"
    cells += f"{ratio:>28}{f'x{row.bars[index]:.2f}' if row.bars else '':>8}"
    slowest = row.slowest if connections == max(CONNECTIONS) else None
    cells += f"{f'x{statistics.median(latencies):.1f}':>8}"
    cells += f"{f'x{slowest:.1f}' if slowest else '':>8}"
    if (row.name, connections) in counted:
        own, bare = counted[row.name, connections], counted[f"bare, {row.bare}", connections]
        cells += f"{f'{own:,.0f} (x{bare / own:.2f})':>22}"
    return cells


if __name__ == "__main__":
    main()
