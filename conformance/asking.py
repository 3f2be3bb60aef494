"""The arguments that the commands of the suite share, and what they lead to."""

import argparse
import asyncio
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from clients_register.conformance import library, probing, profiles, reporting
from clients_register.conformance.control import TOKEN_VARIABLE, NotAdmitted
from clients_register.conformance.interrupting import terminations
from clients_register.conformance.model import Case
from clients_register.conformance.target import ProfileError, Target
from clients_register.conformance.verdicts import Exit
from clients_register.conformance.writing import Unwritable, writable, write

EXIT_CODES = """\
exit codes, the first that applies:
  2  wrong usage, profile or case file
  3  nothing answers there, or it is not this API
  4  a defect: an answer never came, a state was promised and not reached
  1  the contract is violated, or a known failure passes
  5  nothing or too little was run to tell
  0  the contract is kept
"""


class Lacking(Exception):
    """A part of the program is not installed; the message says what to do."""


def parser(
    name: str, description: str, *, target_needed: bool = True, cases: bool = True
) -> argparse.ArgumentParser:
    """A parser that knows the target, and the choice of `cases`."""
    made = argparse.ArgumentParser(
        prog=f"clients-register {name}",
        description=description,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if target_needed:
        made.add_argument(
            "url",
            nargs="?",
            help="the base URL of a server on this machine, such as http://127.0.0.1:4018/api/v1;"
            " whether it is our stub is found out",
        )
        made.add_argument(
            "--profile", type=Path, metavar="FILE", help="describes any other target in full"
        )
    if cases:
        made.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="GLOB",
            help="only cases whose id, area, requirement or question fits; may be repeated",
        )
    return made


def positive(text: str) -> int:
    """A number of which there is at least one. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, found {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """A time of more than nothing. Raises ArgumentTypeError."""
    with suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, found {text!r}")


def add_reports(parser: argparse.ArgumentParser) -> None:
    """The options for what is to be made of a report; see `reported`."""
    parser.add_argument(
        "--report", type=writable, metavar="FILE", help="write the whole report: JSON"
    )
    for name in reporting.RENDERERS:
        parser.add_argument(
            f"--{name}", type=writable, metavar="FILE", help=f"write the report as {name}"
        )
    parser.add_argument("-q", "--quiet", action="store_true", help="print the verdict alone")


def reported(
    report: Mapping[str, Any], options: argparse.Namespace, also: Mapping[Path, str] | None = None
) -> int:
    """Writes what was asked for, and `also` these texts; prints; returns the exit code."""
    texts = {**reporting.drawn(report, options), **(also or {})}
    if options.report is not None:
        texts[options.report] = reporting.text(report)
    faults = write(texts)
    if options.quiet:
        print(report["reason"])
    else:
        print(reporting.terminal(report, colour=sys.stdout.isatty()), end="")
    for fault in faults:
        print(f"clients-register: {fault}", file=sys.stderr)
    code: int = report["exit_code"]
    return Exit.USAGE if faults else code


def found_out(url: str) -> Target:
    """Probes the server at a URL. Raises ProfileError.

    A stub that does not let us drive it is judged as any other server, and that is said.
    """
    try:
        return asyncio.run(probing.found_out(url, control_token()))
    except NotAdmitted as refusal:
        print(
            f"the control plane of the stub at {url} is closed ({refusal}), so that no case is run"
            f" that needs it; a token goes into {TOKEN_VARIABLE}",
            file=sys.stderr,
        )
        return probing.without_control(url)


def target_of(
    options: argparse.Namespace, found_out: Callable[[str], Target] = found_out
) -> Target:
    """The target that is asked for; `found_out` tells what a URL is. Raises ProfileError."""
    if (options.url is None) == (options.profile is None):
        raise ProfileError("expected a URL or a --profile FILE, and not both; see --help")
    if options.profile is not None:
        return profiles.read(options.profile)
    return found_out(options.url)


def cases_of(options: argparse.Namespace) -> list[Case]:
    """The cases that are asked for. Raises CaseError."""
    chosen = library.chosen(library.shipped(), options.only)
    if not chosen:
        raise library.CaseError(
            f"no case fits --only {' --only '.join(options.only)};"
            " `clients-register list` names them all"
        )
    return chosen


def control_token() -> str | None:
    """The token of the stub's control plane, where the environment has one."""
    return os.environ.get(TOKEN_VARIABLE) or None


def guarded(name: str, run: Callable[[], int]) -> int:
    """Runs a command; what stands in its way is one line, and an exit code that is never 0.

    Nor is it that of a violation, which a full disk behind the output, say, is not.
    """
    try:
        with terminations():
            return run()
    except BrokenPipeError:
        # Whoever reads the output has enough, which is known where all commands end.
        raise
    except (ProfileError, library.CaseError, Lacking, Unwritable, OSError) as error:
        print(f"clients-register {name}: {error}", file=sys.stderr)
        return Exit.USAGE
    except probing.Unreachable as error:
        print(f"clients-register {name}: {error}", file=sys.stderr)
        return Exit.UNREACHABLE


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns of even width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)
