"""Shared by the commands of the suite: options, the choice of target and cases, output, errors."""

import argparse
import asyncio
import math
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from clients_register import output
from clients_register.argument_parser import ArgumentParser
from clients_register.conformance import detection
from clients_register.conformance.case import Case, CaseError, load_cases, select_cases
from clients_register.conformance.control import TOKEN_VARIABLE, ControlDenied, control_token
from clients_register.conformance.decision import ExitCode
from clients_register.conformance.escaping import escape
from clients_register.conformance.files import (
    NotWritable,
    OutputFiles,
    open_files,
    writable_file,
)
from clients_register.conformance.interrupts import termination_as_interrupt
from clients_register.conformance.profiles import load_profile
from clients_register.conformance.redaction import Redactor
from clients_register.conformance.report import (
    FORMATS,
    Report,
    ReportError,
    render_json,
    render_requested,
    render_terminal,
)
from clients_register.conformance.response import cut_text
from clients_register.conformance.runner import describe_defect
from clients_register.conformance.target import ProfileError, Target, target_for_url
from clients_register.spec.statuses import load_statuses

EXIT_CODES = """\
exit codes, the first that applies:
  2  wrong usage, profile or case file, or output that cannot be written
  3  nothing responds there, or it is not this API
  4  a defect: the target is gone, a response proves nothing, or a promised state was not reached
  1  the contract is violated, or a known failure passes
  5  too few cases were run to tell
  0  the target conforms to the contract
"""

# Seconds between two updates of a progress bar, and its width.
PROGRESS_INTERVAL = 0.1
PROGRESS_WIDTH = 30


class MissingDependency(Exception):
    """An optional dependency is not installed; the message says how to install it."""


def new_parser(
    name: str, description: str, *, takes_target: bool = True, takes_cases: bool = True
) -> argparse.ArgumentParser:
    """Returns a parser with the options for the target and for the choice of cases."""
    parser = ArgumentParser(
        prog=f"clients-register {name}",
        description=description,
        epilog=EXIT_CODES,
    )
    if takes_target:
        parser.add_argument(
            "url",
            nargs="?",
            help="the base URL of a server on this machine, such as http://127.0.0.1:4018/api/v1;"
            " our stub is recognized",
        )
        parser.add_argument(
            "--profile", type=Path, metavar="FILE", help="a file that describes any other target"
        )
    if takes_cases:
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="GLOB",
            help="only cases whose id, area, requirement or question matches; may be repeated",
        )
    return parser


def positive_int(text: str) -> int:
    """Parses a number of at least 1. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, found {text!r}")
    return int(text)


def positive_seconds(text: str) -> float:
    """Parses a number of seconds above 0. Raises ArgumentTypeError."""
    with suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, found {text!r}")


def add_wait_option(parser: argparse.ArgumentParser) -> None:
    """Adds the option that lets `responding_target_from` wait."""
    parser.add_argument(
        "--wait",
        type=positive_seconds,
        metavar="SECONDS",
        help="how long to wait for a server that is still starting (default: not at all)",
    )


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options for the report; see `output_report`."""
    parser.add_argument(
        "--report", type=writable_file, metavar="FILE", help="write the whole report as JSON"
    )
    for name in FORMATS:
        parser.add_argument(
            f"--{name}", type=writable_file, metavar="FILE", help=f"write the report as {name}"
        )
    add_verbose_option(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="print only the verdict")


def add_verbose_option(parser: argparse.ArgumentParser) -> None:
    """Adds the option that lets `print_report` show everything."""
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="print all violations, and each case that needs attention with its requests",
    )


def open_report_files(
    options: argparse.Namespace, *more: Path | None
) -> AbstractContextManager[OutputFiles]:
    """Opens the files that `output_report` writes, and `more`. Raises NotWritable."""
    return open_files([options.report, *(getattr(options, name) for name in FORMATS), *more])


def output_report(
    report: Report,
    options: argparse.Namespace,
    files: OutputFiles,
    extra: Mapping[Path, str] | None = None,
) -> int:
    """Writes the requested files and the `extra` ones, prints the report, returns the exit code."""
    # The canonical form first, in case another one cannot be rendered.
    canonical = {} if options.report is None else {options.report: render_json(report)}
    failures = files.write({**canonical, **(extra or {})})
    failures += files.write(render_requested(report, options))
    if options.quiet:
        print_text(f"{report['reason']}\n")
    else:
        print_report(report, verbose=options.verbose)
    for failure in failures:
        print_error(f"clients-register: {failure}")
    code: int = report["exit_code"]
    return ExitCode.USAGE if failures else code


def target_at(url: str) -> Target:
    """Detects the target at a URL. Raises ProfileError.

    A stub whose control plane refuses access is treated like any other server, with a notice.
    """
    token = control_token()
    try:
        return asyncio.run(detection.detect_target(url, token))
    except ControlDenied as refusal:
        received = Redactor([token] if token else []).redact_received(str(refusal))
        detail = cut_text(received, detection.MAX_FOUND)
        print_error(
            f"the control plane of the stub at {url} refuses access ({detail}), so the cases that"
            f" need it are not run; set its token in {TOKEN_VARIABLE}"
        )
        return detection.target_without_control(url)


async def check_target(target: Target) -> None:
    """Checks that a target is there and can be judged; prints a notice about its content codings.

    Raises Unreachable, ProfileError.
    """
    statuses = load_statuses()
    checks = await detection.run_smoke_test(target, statuses)
    await detection.require_this_api(checks, target, statuses)
    print_codings(checks)


def print_codings(checks: Sequence[detection.SmokeCheck]) -> None:
    """Prints a notice if responses have content codings that no request has asked for."""
    if notice := detection.describe_codings(checks):
        print_error(f"note: {notice}")


def target_from(options: argparse.Namespace, detect: Callable[[str], Target] = target_at) -> Target:
    """Returns the target of the options; `detect` turns a URL into one. Raises ProfileError."""
    if (options.url is None) == (options.profile is None):
        raise ProfileError("expected a URL or a --profile FILE, and not both; see --help")
    if options.profile is not None:
        return load_profile(options.profile)
    return detect(options.url)


def responding_target_from(options: argparse.Namespace) -> Target:
    """Returns the target of the options once it responds; see `add_wait_option`.

    Raises Unreachable, ProfileError.
    """
    if options.wait is not None:
        awaited = target_from(options, lambda url: target_for_url(url, control=False))
        asyncio.run(detection.wait_for_response(awaited, options.wait))
    return target_from(options)


def cases_from(options: argparse.Namespace) -> list[Case]:
    """Returns the selected cases. Raises CaseError if there are none."""
    selected = select_cases(load_cases(), options.only)
    if not selected:
        raise CaseError(
            f"no case matches --only {' --only '.join(map(shlex.quote, options.only))};"
            " `clients-register list` lists all ids"
        )
    return selected


def run_command(name: str, run: Callable[[], int]) -> int:
    """Runs a command; an error is printed as one line, with its exit code.

    A system error, such as a full disk behind the output, is not reported as a violation, and
    neither is a defect of the suite.
    """
    try:
        with termination_as_interrupt():
            code = run()
            output.flush()
            return code
    except BrokenPipeError:
        # Handled for all commands at the entry point.
        raise
    except (ProfileError, CaseError) as error:
        # One line for each problem.
        print_error(f"clients-register {name}: {error}", multiline=True)
        return ExitCode.USAGE
    except (MissingDependency, NotWritable, ReportError) as error:
        print_error(f"clients-register {name}: {error}")
        return ExitCode.USAGE
    except OSError as error:
        # If it is standard output that cannot be written, nothing more is printed there.
        output.discard()
        print_error(f"clients-register {name}: {error}")
        return ExitCode.USAGE
    except detection.Unreachable as error:
        print_error(f"clients-register {name}: {error}")
        return ExitCode.UNREACHABLE
    except Exception as error:  # noqa: BLE001 - a traceback would end with the code of a violation
        print_error(f"clients-register {name}: {describe_defect(error)}; please report it")
        return ExitCode.DEFECT


def print_text(text: str) -> None:
    """Prints lines, escaped, on standard output."""
    print(escape(text, multiline=True), end="")


def print_report(report: Report, *, verbose: bool) -> None:
    """Prints a report on standard output, with colors if it is a terminal."""
    print(render_terminal(report, color=output.is_terminal(), verbose=verbose), end="")


def print_error(text: str, *, multiline: bool = False) -> None:
    """Prints one line, escaped, on standard error; several if `multiline`."""
    output.complain(escape(text, multiline=multiline))


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Formats rows as aligned columns, with their cells escaped."""
    rows = [[escape(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


class ProgressBar:
    """A progress bar with a few words, on standard error if it is a terminal."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled and sys.stderr is not None and sys.stderr.isatty()
        self._next_update = 0.0

    def update(self, done: int, total: int, words: str) -> None:
        """Redraws the bar, but not too often."""
        if not self._enabled or time.monotonic() < self._next_update:
            return
        self._next_update = time.monotonic() + PROGRESS_INTERVAL
        bar = "#" * min(PROGRESS_WIDTH, done * PROGRESS_WIDTH // max(1, total))
        self._write(f"\r[{bar:<{PROGRESS_WIDTH}}] {done:,}/{total:,}  {words}\033[K")

    def close(self) -> None:
        """Erases the bar."""
        if self._enabled:
            self._write("\r\033[K")

    def _write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


def rerun_arguments(options: Any) -> list[str]:
    """Returns the arguments that name the same target."""
    return [options.url] if options.url else ["--profile", str(options.profile)]
