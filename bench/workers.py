"""What several processes on one PostgreSQL database answer, beside one on a file.

    python bench/workers.py --store postgresql://USER@HOST/DATABASE [--rounds N] [--seconds N]

The database is to be empty, and its server on this machine has its part of the same cores. Load is
wrk's, one thread and 32 connections. Rounds go through all servers in turn; printed are medians of
requests per second, and ratios to the one process on a file.

forced      an answer asked for by a header: what is shared is read, and the answer is put in the
            journal, two statements
refused     a taken address: another statement
registered  stored durably, after bcrypt at cost 4: a transaction more
"""

import argparse
import statistics
from contextlib import ExitStack
from functools import partial

import servers
from serving import Row, load

KINDS = ("forced", "refused", "registered")
WORKERS = (1, 2, 4)


def rows(store: str, kind: str) -> list[Row]:
    """What is measured under load of that kind."""
    found = [Row("file, 1 process", kind, servers.product, "")]
    for count in WORKERS:
        name = f"PostgreSQL, {count} process{'es' * (count > 1)}"
        found.append(Row(name, kind, partial(servers.shared, store, count), ""))
    return found


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    options = parser.parse_args()
    rates: dict[tuple[str, str], list[float]] = {}
    for number in range(options.rounds):
        for places in zip(*(rows(options.store, kind) for kind in KINDS), strict=True):
            with ExitStack() as stack:
                server = stack.enter_context(places[0].start())
                for row in places:
                    load(row, server, 32, 1, f"{number}w")
                    rate = load(row, server, 32, options.seconds, f"{number}c").rate
                    rates.setdefault((row.name, row.kind), []).append(rate)
    print(f"medians of {options.rounds} rounds of {options.seconds} s: requests a second (ratio)")
    print(f"{'':<24}" + "".join(f"{kind:>20}" for kind in KINDS))
    for row in rows(options.store, KINDS[0]):
        cells = ""
        for kind in KINDS:
            rate = statistics.median(rates[row.name, kind])
            ratio = rate / statistics.median(rates["file, 1 process", kind])
            cells += f"{rate:>11,.0f} (x{ratio:.2f})".rjust(20)
        print(f"{row.name:<24}{cells}")


if __name__ == "__main__":
    main()
