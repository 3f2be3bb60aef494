"""Which statuses the tests must have met, and which of them they did not.

Counts are plain dictionaries, slug -> how often, since workers send them to each other.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from clients_register.handlers.mock.coverage import Coverage, report
from clients_register.handlers.mock.coverage import required as named
from clients_register.handlers.mock.problems import Problem
from clients_register.spec.catalogue import catalogue

Counts = dict[str, int]


class UnknownStatus(Exception):
    """What is required names no status; the message says which there are."""


def required(asked: str) -> list[str]:
    """The slugs that `asked` names: common, all, or slugs. Raises UnknownStatus."""
    try:
        return named(asked, catalogue())
    except Problem as problem:
        raise UnknownStatus(f"{problem.detail}; {problem.hint}") from None


def growth(before: Any, after: Any) -> Counts:
    """How often each status was answered between two readings of a world's coverage."""
    grown = _counts(after)
    grown.subtract(_counts(before))
    return dict(+grown)


def missing(slugs: list[str], met: Iterable[Counts]) -> list[str]:
    """Those of `slugs` that are in none of the counts `met`; spellings of one status are one."""
    counted: Counter[str] = Counter()
    for counts in met:
        counted.update(counts)
    found: list[str] = report(Coverage(natural=counted), catalogue(), slugs, natural=True)[
        "missing"
    ]
    return found


def _counts(coverage: Any) -> Counter[str]:
    return Counter({row["slug"]: row["natural"] + row["forced"] for row in coverage["statuses"]})
