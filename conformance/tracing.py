"""`clients-register trace`: requirements, the cases that prove them, the mutants of each."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clients_register import spec
from clients_register.conformance import asking, library
from clients_register.conformance.model import Case
from clients_register.conformance.mutants.model import Mutant, mutants
from clients_register.conformance.verdicts import Exit
from clients_register.conformance.writing import Unwritable, writable, write

Requirements = Mapping[str, Mapping[str, Any]]


def main(argv: list[str]) -> int:
    """Prints the table and what is missing in it; returns 1 where something is."""
    parser = argparse.ArgumentParser(
        prog="clients-register trace",
        description="Print each requirement with its cases and mutants; fail where one has none.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--markdown", type=writable, metavar="FILE", help="write the table there, too"
    )
    options = parser.parse_args(argv)
    return asking.guarded("trace", lambda: _trace(options))


def _trace(options: argparse.Namespace) -> int:
    requirements: Requirements = spec.load("requirements")["requirements"]
    cases, planted = library.shipped(), mutants()
    table = list(rows(requirements, cases, planted))
    print(asking.table([(key, str(len(by)), str(len(of))) for key, by, of in table]), end="")
    texts = {} if options.markdown is None else {options.markdown: markdown(table)}
    if faults := write(texts):
        raise Unwritable(faults[0])
    missing = list(gaps(requirements, cases, planted))
    print("\n".join(missing) or "no gaps")
    return Exit.VIOLATION if missing else Exit.GOOD


def rows(
    requirements: Requirements, cases: Sequence[Case], planted: Sequence[Mutant]
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each testable requirement: its key, its cases, its mutants."""
    for key, written in requirements.items():
        if written["testable"]:
            by = [case.id for case in cases if key in case.requires]
            yield key, by, [mutant.name for mutant in planted if key in mutant.requires]


def gaps(
    requirements: Requirements, cases: Sequence[Case], planted: Sequence[Mutant]
) -> Iterator[str]:
    """What the table lacks, and what leads nowhere."""
    for key, by, of in rows(requirements, cases, planted):
        if not by:
            yield f"{key}: no case proves it"
        if not of:
            yield f"{key}: no mutant violates it"
    known = {*requirements, *spec.load("questions")["questions"]}
    for mutant in planted:
        yield from (
            f"{mutant.name}: {key} is no key" for key in mutant.requires if key not in known
        )
    for case in cases:
        untestable = [key for key in case.requires if not requirements[key]["testable"]]
        yield from (f"{case.id}: {key} is not testable" for key in untestable)


def markdown(table: Sequence[tuple[str, list[str], list[str]]]) -> str:
    """The table as docs/tracing.md has it."""
    lines = (f"| {key} | {', '.join(by)} | {', '.join(of)} |" for key, by, of in table)
    head = (
        "# Requirements, their cases and their mutants\n\nDrawn by `clients-register trace"
        " --markdown docs/tracing.md`.\n\n| requirement | cases | mutants |\n| --- | --- | --- |\n"
    )
    return head + "".join(f"{line}\n" for line in lines)
