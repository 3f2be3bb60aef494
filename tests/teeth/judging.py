"""Runs the suite on mutants, one after another in this process.

As a program, `python -m teeth.judging [--whole] NAME ...`, it prints a line of JSON per mutant.
`python -m teeth` starts one such process per job.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace

from teeth.mutants import NONE, cases_about, find_mutant
from teeth.serving import served

from clients_register.conformance.case import Case, load_cases
from clients_register.conformance.results import Verdict, failing_verdicts
from clients_register.conformance.runner import run_cases
from clients_register.conformance.target import target_for_url
from clients_register.spec.statuses import load_statuses

# Seconds that an exchange may take: the mutant shares this process, which may be busy.
TIMEOUT = 60.0


async def failed_cases(name: str, cases: Sequence[Case]) -> list[str]:
    """The ids of the cases that fail on the mutant called `name`, judged strictly.

    Raises UnknownMutant.
    """
    async with served(name) as base:
        stub = target_for_url(base, control=True)
        limits = replace(stub.limits, timeout=max(TIMEOUT, stub.limits.timeout))
        patient = replace(stub, limits=limits)
        results = await run_cases(cases, patient, load_statuses())
    bad = failing_verdicts(strict=True) | ({Verdict.ERROR} if name == NONE else set())
    return [result.case.id for result in results if result.verdict in bad]


async def _judge(names: Sequence[str], *, whole: bool) -> None:
    cases = load_cases()
    for name in names:
        mutant = find_mutant(name)
        chosen = cases if whole or mutant is None else cases_about(mutant, cases)
        judged = {"mutant": name, "failed": await failed_cases(name, chosen)}
        print(json.dumps(judged), flush=True)


def main(argv: list[str]) -> int:
    """Judges the mutants named in `argv`; returns the exit code."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args(argv)
    logging.disable()

    try:
        asyncio.run(_judge(options.names, whole=options.whole))
    except BrokenPipeError:
        # The process that reads the output has ended.
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
