"""Runs the suite on every mutant and prints which ones it kills: `python -m teeth`."""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from teeth import fuzzing
from teeth.mutants import NONE, Extent, Mutant, cases_about, choose, load_mutants

from clients_register.conformance.case import Case, load_cases
from clients_register.conformance.cli import format_table, positive_int, positive_seconds
from clients_register.conformance.decision import ExitCode
from clients_register.conformance.interrupts import termination_as_interrupt

INTERRUPTED = 130


@dataclass(frozen=True)
class Result:
    """The cases that failed on one mutant: those about its fault, and how many others."""

    mutant: Mutant
    killed_by: tuple[str, ...]
    others: int = 0

    @property
    def row(self) -> tuple[str, str, str, str]:
        """Verdict, name, fault and killers, as printed."""
        killers = ", ".join(self.killed_by[:2])
        if more := self.killed_by[2:]:
            killers += f" and {len(more)} more"
        if self.others:
            killers += f", besides {self.others} about other matters"
        return (
            "killed" if self.killed_by else "SURVIVED",
            self.mutant.name,
            self.mutant.about,
            killers or ", ".join(self.mutant.requires),
        )


def main(argv: list[str]) -> int:
    """Prints the kill table; returns 1 if a mutant survives or the correct server fails a case."""
    parser = argparse.ArgumentParser(
        prog="python -m teeth",
        description="Run the suite on servers with one planted fault each, and on a correct one.",
        epilog="A mutant is killed if a case fails that claims a key which the fault violates.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="GLOB", help="by name, module or key"
    )
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument(
        "--whole",
        dest="extent",
        action="store_const",
        const=Extent.WHOLE,
        default=Extent.OWN,
        help="run every case on every mutant, not only its own",
    )
    extent.add_argument(
        "--first",
        dest="extent",
        action="store_const",
        const=Extent.FIRST,
        help="run no more cases on a mutant once some have failed",
    )
    parser.add_argument(
        "--jobs",
        type=positive_int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="number of processes (default: CPUs)",
    )
    parser.add_argument(
        "--fuzz",
        nargs="?",
        type=positive_seconds,
        const=60.0,
        metavar="SECONDS",
        help="measure instead what fuzzing alone finds, SECONDS per mutant (default: 60)",
    )
    options = parser.parse_args(argv)
    mutants = choose(load_mutants(), options.only)
    if not mutants:
        parser.error(f"no mutant matches --only {' --only '.join(options.only)}")
    try:
        with termination_as_interrupt():
            if options.fuzz is not None:
                return asyncio.run(fuzzing.measure(mutants, options.fuzz, options.jobs))
            return _run(mutants, options.jobs, options.extent)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(mutants: Sequence[Mutant], jobs: int, extent: Extent) -> int:
    names = [NONE, *(mutant.name for mutant in mutants)]
    failed = _failed_cases(names, jobs, extent)
    if missing := [name for name in names if name not in failed]:
        print(f"no verdict on {', '.join(missing)}", file=sys.stderr)
        return ExitCode.DEFECT
    cases = load_cases()
    if wrong := failed[NONE]:
        print(f"the correct server fails {', '.join(wrong)}", file=sys.stderr)
        return ExitCode.VIOLATION
    results = [_result(mutant, failed[mutant.name], cases) for mutant in mutants]
    print(format_table([result.row for result in results]), end="")
    killed = sum(bool(result.killed_by) for result in results)
    print(
        f"{killed} of {len(results)} mutants killed; the correct server passes {len(cases)} cases"
    )
    return ExitCode.SUCCESS if killed == len(results) else ExitCode.VIOLATION


def _result(mutant: Mutant, failed: Sequence[str], cases: Sequence[Case]) -> Result:
    about = {case.id for case in cases_about(mutant, cases)}
    killed_by = tuple(case for case in failed if case in about)
    return Result(mutant, killed_by, len(failed) - len(killed_by))


def _failed_cases(names: Sequence[str], jobs: int, extent: Extent) -> dict[str, list[str]]:
    """The ids of the cases that fail on each mutant, judged by up to `jobs` processes.

    A mutant is missing if the process that judged it ended before the verdict.
    """
    failed = {}
    with ExitStack() as stack:
        # Also removes the files of a process that was killed.
        directory = stack.enter_context(TemporaryDirectory())
        processes = [
            stack.enter_context(_judging_process(names[number::jobs], directory, extent))
            for number in range(min(jobs, len(names)))
        ]
        for process in processes:
            assert process.stdout is not None
            for line in process.stdout:
                judged = json.loads(line)
                failed[judged["mutant"]] = judged["failed"]
    return failed


@contextmanager
def _judging_process(
    names: Sequence[str], directory: str, extent: Extent
) -> Iterator[subprocess.Popen[str]]:
    """A process that judges the mutants called `names`; it is killed by an exception.

    Its temporary files are in `directory`.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "teeth.judging", "--extent", extent, *names],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": directory},
        # Ctrl-C interrupts this command alone, which then kills the process.
        start_new_session=True,
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
