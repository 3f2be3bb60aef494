"""The statuses that tests are required to receive.

Counts by slug are plain dictionaries, because workers of pytest-xdist send them to each other.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from clients_register.handlers.stub import traffic
from clients_register.handlers.stub.problems import Problem
from clients_register.spec.statuses import load_statuses

Counts = dict[str, int]


class UnknownStatus(Exception):
    """A required status is unknown; the message lists the known ones."""


def parse_required(text: str) -> list[str]:
    """Parses `common`, `all`, or a list of slugs. Raises UnknownStatus."""
    try:
        return traffic.parse_required(text, load_statuses())
    except Problem as problem:
        raise UnknownStatus(f"{problem.detail}; {problem.hint}") from None


def subtract_counts(before: Any, after: Any) -> Counts:
    """Returns how often each status was returned between two states of a world's coverage."""
    counts = _counts(after)
    counts.subtract(_counts(before))
    return dict(+counts)


def find_missing(slugs: list[str], met: Iterable[Counts]) -> list[str]:
    """Returns those of `slugs` without a count; spellings of one status count as one."""
    counts: Counter[str] = Counter()
    for each in met:
        counts.update(each)
    report = traffic.summarize_coverage(
        traffic.Coverage(natural=counts), load_statuses(), slugs, natural=True
    )
    missing: list[str] = report["missing"]
    return missing


def _counts(coverage: Any) -> Counter[str]:
    return Counter({row["slug"]: row["natural"] + row["forced"] for row in coverage["statuses"]})
