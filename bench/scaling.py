"""Measures the cost of a registration's writes by the number of stored clients, up to a million.

    python bench/scaling.py

For comparison: a bare sync of the disk, and plain TinyDB on the same file. Plain TinyDB
inserts a user, a mail and a session, and reads and writes the whole file for each. It is measured
up to 100,000 clients, with fewer repetitions, and separately.
"""

import asyncio
import json
import platform
import shutil
import statistics
import tempfile
from pathlib import Path

import store
from tinydb import TinyDB

SIZES = (*store.SIZES, store.LARGE)
NAIVE = store.SIZES
TURNS = 3


def main() -> None:
    """Prints the medians in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        files = {size: store.filled(Path(folder, f"{size}.json"), size) for size in SIZES}
        naive = {size: naive_cost(files[size]) for size in NAIVE}
        costs, syncs = asyncio.run(store.write_costs(files, Path(folder, "syncs")))
    ours = {size: statistics.median(each) for size, each in costs.items()}
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    print(f"medians of {store.ROUNDS} rounds, and of {TURNS} registrations by plain TinyDB")
    print(f"a bare sync          {statistics.median(syncs) / 1000:.2f} ms")
    named = {"the store": ours, "plain TinyDB": naive}
    for name, found in named.items():
        told = ", ".join(f"{cost / 1000:.2f} ms at {size:,}" for size, cost in found.items())
        print(f"{name:<20} {told}")


def naive_cost(file: Path) -> float:
    """Returns how long TinyDB with its own storage takes to insert a registration, in µs."""
    copied = Path(shutil.copy(file, file.with_suffix(".naive")))
    tables = json.loads(file.read_bytes())
    last = {name: next(reversed(tables[name].values())) for name in ("users", "sessions", "outbox")}
    with TinyDB(copied) as database:

        def register() -> None:
            for name, record in last.items():
                database.table(name).insert(record)

        costs = [store.took(register) * 1e6 for _ in range(TURNS)]
    copied.unlink()
    return statistics.median(costs)


if __name__ == "__main__":
    main()
