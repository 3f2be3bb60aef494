"""Runs the suite on mutants, one after another in this process.

As a program it prints a line of JSON for each mutant: `python -m
clients_register.conformance.mutants.judging [--whole] NAME ...`. `clients-register mutants` starts
as many of these as it has jobs.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace

from clients_register.conformance import library, target
from clients_register.conformance.model import Case
from clients_register.conformance.mutants.model import NONE, cases_about, named
from clients_register.conformance.mutants.serving import served
from clients_register.conformance.running import run
from clients_register.conformance.verdicts import Verdict, violations
from clients_register.spec.catalogue import catalogue

# Seconds that an exchange may take: the mutant is in this process, which may be kept waiting.
TIMEOUT = 60.0


async def failing(name: str, cases: Sequence[Case]) -> list[str]:
    """The ids of the cases that fail, strictly, on the mutant called `name`.

    Raises UnknownMutant.
    """
    async with served(name) as base:
        stub = target.of_url(base, control=True)
        limits = replace(stub.limits, timeout=max(TIMEOUT, stub.limits.timeout))
        patient = replace(stub, limits=limits)
        results = await run(cases, patient, catalogue())
    bad = violations(strict=True) | ({Verdict.ERROR} if name == NONE else set())
    return [result.case.id for result in results if result.verdict in bad]


async def _judge(names: Sequence[str], *, whole: bool) -> None:
    cases = library.shipped()
    for name in names:
        mutant = named(name)
        chosen = cases if whole or mutant is None else cases_about(mutant, cases)
        judged = {"mutant": name, "failing": await failing(name, chosen)}
        print(json.dumps(judged), flush=True)


def main(argv: list[str]) -> int:
    """Judges the mutants that `argv` names; returns the exit code."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args(argv)
    logging.disable()

    try:
        asyncio.run(_judge(options.names, whole=options.whole))
    except BrokenPipeError:
        # The command that started this process has ended.
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
