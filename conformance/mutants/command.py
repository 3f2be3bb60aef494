"""`clients-register mutants`: runs the suite on every mutant, and tells which ones it catches."""

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

from clients_register.conformance import asking, library
from clients_register.conformance.model import Case
from clients_register.conformance.mutants import fuzzed
from clients_register.conformance.mutants.model import NONE, Mutant, cases_about, chosen, mutants
from clients_register.conformance.verdicts import Exit


@dataclass(frozen=True)
class Caught:
    """The cases that failed on one mutant: those that claim one of its keys, and how many more."""

    mutant: Mutant
    by: tuple[str, ...]
    others: int = 0

    @property
    def row(self) -> tuple[str, str, str, str]:
        """As the table has it."""
        named = ", ".join(self.by[:2]) + (f" and {len(self.by) - 2} more" if self.by[2:] else "")
        named += f", besides {self.others} about other matters" if self.others else ""
        verdict = "killed" if self.by else "SURVIVED"
        return (
            verdict,
            self.mutant.name,
            self.mutant.about,
            named or ", ".join(self.mutant.requires),
        )


def main(argv: list[str]) -> int:
    """Prints the kill table; returns 1 where a mutant survives or the right server fails."""
    parser = argparse.ArgumentParser(
        prog="clients-register mutants",
        description="Run the suite on servers with one planted fault each, and on the right one.",
        epilog="A mutant is killed where a case fails that claims a key which the fault violates.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="GLOB", help="by name, module or key"
    )
    parser.add_argument(
        "--whole", action="store_true", help="every mutant meets every case, and not only its own"
    )
    parser.add_argument(
        "--jobs",
        type=asking.positive,
        default=os.cpu_count() or 1,
        metavar="N",
        help="how many processes share the mutants (default: CPUs)",
    )
    parser.add_argument(
        "--fuzz",
        nargs="?",
        type=asking.seconds,
        const=60.0,
        metavar="SECONDS",
        help="tell instead what fuzzing alone finds, in so much time a mutant (default: 60)",
    )
    options = parser.parse_args(argv)
    return asking.guarded("mutants", lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    among = chosen(mutants(), options.only)
    if not among:
        raise library.CaseError(f"no mutant fits --only {' --only '.join(options.only)}")
    if options.fuzz is not None:
        return asyncio.run(fuzzed.measure(among, options.fuzz, options.jobs))
    names = [NONE, *(each.name for each in among)]
    found = _judged(names, options.jobs, whole=options.whole)
    if missing := [name for name in names if name not in found]:
        print(f"no verdict on {', '.join(missing)}", file=sys.stderr)
        return Exit.DEFECT
    cases = library.shipped()
    if wrong := found[NONE]:
        print(f"the right server fails {', '.join(wrong)}", file=sys.stderr)
        return Exit.VIOLATION
    caught = [_caught(mutant, found[mutant.name], cases) for mutant in among]
    print(asking.table([each.row for each in caught]), end="")
    killed = sum(bool(each.by) for each in caught)
    print(f"{killed} of {len(caught)} mutants killed; the right server passes {len(cases)} cases")
    return Exit.GOOD if killed == len(caught) else Exit.VIOLATION


def _caught(mutant: Mutant, failing: Sequence[str], cases: Sequence[Case]) -> Caught:
    own = {case.id for case in cases_about(mutant, cases)}
    by = tuple(each for each in failing if each in own)
    return Caught(mutant, by, len(failing) - len(by))


def _judged(names: Sequence[str], jobs: int, *, whole: bool) -> dict[str, list[str]]:
    """The ids of the cases that fail on each mutant, judged by up to `jobs` processes.

    A mutant whose process ended before its verdict is left out.
    """
    found = {}
    with ExitStack() as running:
        # Removes what a killed process has left in it.
        folder = running.enter_context(TemporaryDirectory())
        processes = [
            running.enter_context(_judging(names[number::jobs], folder, whole=whole))
            for number in range(min(jobs, len(names)))
        ]
        for process in processes:
            assert process.stdout is not None
            for line in process.stdout:
                judged = json.loads(line)
                found[judged["mutant"]] = judged["failing"]
    return found


@contextmanager
def _judging(names: Sequence[str], folder: str, *, whole: bool) -> Iterator[subprocess.Popen[str]]:
    """A process that judges the mutants called `names`; an exception kills it.

    It keeps its temporary files in `folder`.
    """
    command = [sys.executable, "-m", "clients_register.conformance.mutants.judging", *names]
    with subprocess.Popen(  # noqa: S603 - its own program
        [*command, "--whole"] if whole else command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": folder},
        # A Ctrl-C is for the command, which kills this process.
        start_new_session=True,
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise
