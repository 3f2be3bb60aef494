"""`clients-register list`: the cases, with what each is about."""

import argparse
from importlib.resources import files
from pathlib import Path

from clients_register.conformance import asking, library


def main(argv: list[str]) -> int:
    """Prints the cases; returns the exit code."""
    parser = asking.parser("list", "List the cases of the suite.", target_needed=False)
    parser.add_argument(
        "--write-lock",
        action="store_true",
        help="in a checkout: write conformance/ids.lock anew after cases were added or retired",
    )
    options = parser.parse_args(argv)
    return asking.guarded("list", lambda: _list(options))


def _list(options: argparse.Namespace) -> int:
    if options.write_lock:
        file = Path(str(files(__package__) / "ids.lock"))
        file.write_text(library.new_lock(), "utf-8")
    cases = asking.cases_of(options)
    rows = [(case.id, case.claims, " ".join(case.requires), case.title) for case in cases]
    print(asking.table(rows), end="")
    return 0
