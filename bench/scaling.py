"""Draws what a registration costs the store, by how many clients are stored.

    python bench/scaling.py docs/scaling.svg    with up to a million, as `store.py --large` has it

Beside it stand three bare syncs of the disk, and TinyDB as it comes: the same file, into which a
user, a mail and a session are inserted, each of which reads and writes the whole file. That is
measured up to 100,000 clients, fewer times, and alone.
"""

import asyncio
import json
import platform
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import store
from drawing import Axis, Line, chart
from tinydb import TinyDB

SIZES = (*store.SIZES, store.LARGE)
NAIVE = store.SIZES
TURNS = 3

# In milliseconds.
SECOND = 1000


def main(image: Path) -> None:
    """Measures, prints the medians in milliseconds, and writes the image."""
    with tempfile.TemporaryDirectory() as folder:
        files = {size: store.filled(Path(folder, f"{size}.json"), size) for size in SIZES}
        naive = {size: naive_cost(files[size]) for size in NAIVE}
        costs, syncs = asyncio.run(store.write_costs(files, Path(folder, "syncs")))
    ours = {size: statistics.median(each) for size, each in costs.items()}
    bare = dict.fromkeys(SIZES, statistics.median(syncs))
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    print(f"medians of {store.ROUNDS} rounds, and of {TURNS} registrations by TinyDB as it comes")
    named = {"the store": ours, "three bare syncs": bare, "TinyDB as it comes": naive}
    for name, found in named.items():
        told = ", ".join(f"{cost / 1000:.2f} ms at {size:,}" for size, cost in found.items())
        print(f"{name:<20} {told}")
    image.write_text(drawn(ours, bare, naive), "utf-8")


def drawn(ours: dict[int, float], bare: dict[int, float], naive: dict[int, float]) -> str:
    """The image."""
    lines = [
        Line(["TinyDB as it comes:", "writes the whole", "file, three times"], points(naive), "c"),
        Line(["this store"], points(ours), "a", lift=12),
        Line(["three bare syncs", "of the disk"], points(bare), "b dashed", lift=-14),
    ]
    across = Axis("clients stored (logarithmic)", 3, 6, lambda value: f"{value:,.0f}")
    lowest = min(cost for line in lines for _, cost in line.points)
    highest = max(cost for line in lines for _, cost in line.points)
    up = Axis(
        "time for one registration (logarithmic)", power(lowest), power(highest) + 1, duration
    )
    return chart("What a registration's writes cost", across, up, lines)


def points(costs: dict[int, float]) -> list[tuple[float, float]]:
    """Clients and milliseconds."""
    return [(size, cost / 1000) for size, cost in costs.items()]


def power(value: float) -> int:
    """The power of ten that `value` is not below."""
    return int(f"{value:e}".partition("e")[2])


def duration(milliseconds: float) -> str:
    """Milliseconds as people write them."""
    if milliseconds >= SECOND:
        return f"{milliseconds / SECOND:,.0f} s"
    return f"{milliseconds:g} ms"


def naive_cost(file: Path) -> float:
    """Microseconds that TinyDB, with its own storage, takes to insert a registration."""
    copied = Path(shutil.copy(file, file.with_suffix(".naive")))
    tables = {name: rows for name, rows in json.loads(file.read_bytes()).items() if name != "meta"}
    last = {name: next(reversed(rows.values())) for name, rows in tables.items()}
    with TinyDB(copied) as database:

        def register() -> None:
            for name, record in last.items():
                database.table(name).insert(record)

        costs = [store.took(register) * 1e6 for _ in range(TURNS)]
    copied.unlink()
    return statistics.median(costs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
