"""`clients-register report`: draws a report that `verify --report` wrote."""

import argparse
import sys
from pathlib import Path

from clients_register.conformance import reporting
from clients_register.conformance.verdicts import Exit
from clients_register.conformance.writing import writable, write


def main(argv: list[str]) -> int:
    """Draws the report that `argv` names; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="clients-register report",
        description="Draw a report that `clients-register verify --report FILE` wrote.",
        epilog="example: clients-register report report.json --html report.html",
        allow_abbrev=False,
    )
    parser.add_argument("file", type=Path, help="the report, JSON")
    for name in reporting.RENDERERS:
        parser.add_argument(f"--{name}", type=writable, metavar="FILE", help=f"write it as {name}")
    options = parser.parse_args(argv)
    try:
        read = reporting.read(options.file)
    except reporting.ReportError as error:
        print(f"clients-register report: {error}", file=sys.stderr)
        return Exit.USAGE
    texts = reporting.drawn(read, options)
    if not texts:
        print(reporting.terminal(read, colour=sys.stdout.isatty()), end="")
    faults = write(texts)
    for fault in faults:
        print(f"clients-register report: {fault}", file=sys.stderr)
    return Exit.USAGE if faults else Exit.GOOD
