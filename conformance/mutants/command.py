"""`clients-register mutants`: runs the suite on every mutant, and tells which ones it catches."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from clients_register.conformance import asking, library, target
from clients_register.conformance.findings import Result
from clients_register.conformance.model import Case
from clients_register.conformance.mutants import fuzzed
from clients_register.conformance.mutants.model import NONE, Mutant, chosen, mutants
from clients_register.conformance.running import run
from clients_register.conformance.verdicts import Exit, Verdict, violations
from clients_register.spec.catalogue import catalogue

# Seconds that a mutant may take to start.
PATIENCE = 60


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
        help="how many at a time (default: CPUs)",
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
    return asking.guarded("mutants", lambda: asyncio.run(_run(options)))


async def _run(options: argparse.Namespace) -> int:
    among = chosen(mutants(), options.only)
    if not among:
        raise library.CaseError(f"no mutant fits --only {' --only '.join(options.only)}")
    if options.fuzz is not None:
        return await fuzzed.measure(among, served, options.fuzz, options.jobs)
    cases = library.shipped()
    wrong = await failing(NONE, cases)
    if wrong:
        print(f"the right server fails {', '.join(wrong)}", file=sys.stderr)
        return Exit.VIOLATION
    free = asyncio.Semaphore(options.jobs)

    async def meet(mutant: Mutant) -> Caught:
        keys = set(mutant.requires)
        about = [case for case in cases if keys.intersection((*case.requires, *case.questions))]
        async with free:
            found = await failing(mutant.name, cases if options.whole else about)
        own = {case.id for case in about}
        by = tuple(each for each in found if each in own)
        return Caught(mutant, by, len(found) - len(by))

    caught = await asyncio.gather(*(meet(mutant) for mutant in among))
    print(asking.table([each.row for each in caught]), end="")
    killed = sum(bool(each.by) for each in caught)
    print(f"{killed} of {len(caught)} mutants killed; the right server passes {len(cases)} cases")
    return Exit.GOOD if killed == len(caught) else Exit.VIOLATION


async def failing(name: str, cases: Sequence[Case]) -> list[str]:
    """The ids of the cases that fail, strictly, on the mutant called `name`."""
    async with served(name) as base:
        stub = target.of_url(base, control=True)
        results: list[Result] = await run(cases, stub, catalogue())
    bad = violations(strict=True) | ({Verdict.ERROR} if name == NONE else set())
    return [result.case.id for result in results if result.verdict in bad]


@asynccontextmanager
async def served(name: str) -> AsyncIterator[str]:
    """The base URL of a mutant, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clients_register.conformance.mutants", name),
        stdout=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
        # Ctrl-C is for the one who started it, and ends it from there.
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
        if not line.startswith("listening "):
            raise RuntimeError(f"the mutant {name} does not start")
        yield line.split()[1]
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
