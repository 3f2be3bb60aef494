"""Runs the suite on mutants, one after another in this process.

As a program, `python -m teeth.judging [--extent EXTENT] NAME ...`, it prints a line of JSON per
mutant. `python -m teeth` starts one such process per job.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

from connexion.spec import Specification
from teeth.mutants import NONE, Extent, cases_about, find_mutant
from teeth.serving import served

from clients_register.conformance.case import Case, load_cases
from clients_register.conformance.results import Result, Verdict, fails_run
from clients_register.conformance.runner import run_cases
from clients_register.conformance.target import target_for_url
from clients_register.spec.statuses import load_statuses

# Seconds that an exchange may take: the mutant shares this process, which may be busy.
TIMEOUT = 60.0


# How many cases are run at a time if a failure ends the run.
BATCH = 8


async def failed_cases(name: str, cases: Sequence[Case], *, first: bool = False) -> list[str]:
    """The ids of the cases that fail on the mutant called `name`, judged strictly.

    If `first`, no more cases are run once some have failed. Raises UnknownMutant.
    """

    def is_bad(result: Result) -> bool:
        unjudged = name == NONE and result.verdict is Verdict.ERROR
        return unjudged or fails_run(result, strict=True)

    if first:
        # A case that concerns little else is more likely to fail.
        cases = sorted(cases, key=lambda case: len(case.keys))
    size = BATCH if first else len(cases)
    async with served(name) as base:
        stub = target_for_url(base, control=True)
        limits = replace(stub.limits, timeout=max(TIMEOUT, stub.limits.timeout))
        patient = replace(stub, limits=limits)
        for start in range(0, len(cases), size):
            results = await run_cases(cases[start : start + size], patient, load_statuses())
            if failed := [each.case.id for each in results if is_bad(each)]:
                return failed
    return []


async def _judge(names: Sequence[str], extent: Extent) -> None:
    cases = load_cases()
    for name in names:
        mutant = find_mutant(name)
        whole = extent is Extent.WHOLE
        chosen = cases if mutant is None or whole else cases_about(mutant, cases)
        first = extent is Extent.FIRST and mutant is not None
        judged = {"mutant": name, "failed": await failed_cases(name, chosen, first=first)}
        print(json.dumps(judged), flush=True)


def main(argv: list[str]) -> int:
    """Judges the mutants named in `argv`; returns the exit code."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--extent", type=Extent, choices=Extent, default=Extent.OWN)
    options = parser.parse_args(argv)
    logging.disable()

    try:
        # Connexion would validate the same documents for each mutant, a third of the time.
        with patch.object(Specification, "_validate_spec"):
            asyncio.run(_judge(options.names, options.extent))
    except BrokenPipeError:
        # The process that reads the output has ended.
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
