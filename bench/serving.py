"""Measures responses per second, compared with a minimal server and with other tools.

    python bench/serving.py [--rounds N] [--seconds N]

Each server is one process, warmed up, and runs alone; only wrk (one thread, 1 and 32 connections)
competes for the same cores. Each round measures all servers in turn. The table shows medians of
requests per second, with ratios to the bare application (bare.py), some of which have a target. It
also shows the CPU time per request, of the server and its child processes, which depends least on
other load.

forced      a response selected by a header; other tools select it in their own way (peers.py)
refused     a taken address: decoded, validated, looked up, refused by the real rules
registered  stored durably, after bcrypt at cost 4; the bare application does only the bcrypt
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import peers
import servers

SCRIPT = str(Path(__file__).with_name("load.lua"))
CONNECTIONS = (1, 32)
PEERS = ("prism", "wiremock", "mockoon", "specmatic")

# These serve the path without the base path of the document.
BASELESS = ("prism", "specmatic")


@dataclass(frozen=True)
class Row:
    """One server under one kind of load. `bar` is the minimum ratio to the row named `over`."""

    name: str
    kind: str
    start: Callable[[], AbstractContextManager[servers.Server]]
    over: str
    bar: float | None = None


def rows(folder: Path) -> list[Row]:
    """Returns the rows to measure; prints the names of tools that are not installed."""
    document, examples = peers.document(folder), peers.examples(folder)
    mapping, environment = peers.mapping(folder), peers.environment(folder)
    absent = [peer for peer in PEERS if not servers.available(peer)]
    found = [
        Row("bare", "forced", lambda: servers.bare("bytes"), "bare"),
        Row("stub, forced", "forced", servers.product, "bare", 0.8),
        Row("prism, forced", "forced", lambda: servers.prism(document), "bare"),
        Row("wiremock, forced", "forced", lambda: servers.wiremock(mapping), "bare"),
        Row("mockoon, forced", "forced", lambda: servers.mockoon(environment), "bare"),
        Row("specmatic, forced", "forced", lambda: servers.specmatic(document, examples), "bare"),
        Row("reference, refused", "refused", lambda: reference(folder), "bare", 0.35),
        Row("stub, refused", "refused", servers.product, "bare", 0.25),
        Row("bare, bcrypt", "registered", lambda: servers.bare("bcrypt"), "bare, bcrypt"),
        Row("stub, registered", "registered", servers.product, "bare, bcrypt", 0.85),
    ]
    for peer in absent:
        print(f"{peer}: absent; see bench/README.md for how to install it")
    return [row for row in found if row.name.partition(",")[0] not in absent]


def reference(folder: Path) -> AbstractContextManager[servers.Server]:
    """Runs the plain reference with one client, whose address is taken."""
    seed = folder / "seed.yaml"
    seed.write_text(
        "users: [{id: 1, email: client@personas.test, password: correct horse, client: {id: 2}}]\n"
    )
    return servers.product("--reference", "--seed", str(seed))


@dataclass(frozen=True, slots=True)
class Load:
    """The result of one run of wrk: requests per second, and microseconds of CPU time for each."""

    rate: float
    cost: float


def load(row: Row, server: servers.Server, connections: int, seconds: int, run: str) -> Load:
    """Runs wrk against a server."""
    baseless = row.name.startswith(BASELESS)
    path = servers.ROUTE.removeprefix("/api/v1") if baseless else servers.ROUTE
    command = [
        *("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", SCRIPT),
        *(f"http://127.0.0.1:{server.port}{path}", "--", row.kind, run),
    ]
    before = servers.processor(server.pid)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    busy = servers.processor(server.pid) - before
    if "Socket errors" in said:
        print(f"{row.name}: {re.search('Socket errors.*', said)}", file=sys.stderr)
    rate = re.search(r"Requests/sec: +([0-9.]+)", said)
    answers = re.search(r"([0-9]+) requests in", said)
    assert rate is not None, said
    assert answers is not None, said
    return Load(float(rate[1]), busy / int(answers[1]) * 1_000_000)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: run `apt-get install wrk`")
    loads: dict[tuple[str, int], list[Load]] = {}
    with tempfile.TemporaryDirectory() as folder:
        measured = rows(Path(folder))
        for number in range(options.rounds):
            for row in measured:
                with row.start() as server:
                    load(row, server, 32, 1, f"{number}w")
                    for connections in CONNECTIONS:
                        run = f"{number}c{connections}"
                        one = load(row, server, connections, options.seconds, run)
                        loads.setdefault((row.name, connections), []).append(one)
    print(f"medians of {options.rounds} rounds of {options.seconds} s, load average", end=" ")
    print(f"{os.getloadavg()[1]:.1f}: requests per second (ratio), µs of CPU time for each")
    heads = "".join(f"{f'{each} connections':>31}" for each in CONNECTIONS)
    print(f"{'':<20}{heads}  target")
    for row in measured:
        cells = ""
        for connections in CONNECTIONS:
            found, over = loads[row.name, connections], loads[row.over, connections]
            rate = statistics.median(each.rate for each in found)
            ratio = rate / statistics.median(each.rate for each in over)
            cost = statistics.median(each.cost for each in found)
            cells += f"{f'{rate:,.0f} (x{ratio:.2f})':>21}{cost:>10,.1f}"
        print(
            f"{row.name:<20}{cells}  {'' if row.bar is None else f'x{row.bar:.2f} of {row.over}'}"
        )


if __name__ == "__main__":
    main()
