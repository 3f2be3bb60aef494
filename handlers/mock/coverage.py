"""Which statuses the callers of a world have met, by natural cause and by force."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from clients_register.handlers.mock.problems import Problem, suggestion
from clients_register.spec.catalogue import Catalogue

ALL, COMMON = "all", "common"


@dataclass(slots=True)
class Coverage:
    """How often each slug was answered."""

    natural: Counter[str] = field(default_factory=Counter)
    forced: Counter[str] = field(default_factory=Counter)

    def count(self, slug: str, *, forced: bool) -> None:
        """Counts one answer."""
        (self.forced if forced else self.natural)[slug] += 1

    def add(self, other: "Coverage") -> None:
        """Counts what `other` counted, too."""
        self.natural += other.natural
        self.forced += other.forced


def total(coverages: Iterable[Coverage]) -> Coverage:
    """The sum of all."""
    summed = Coverage()
    for coverage in coverages:
        summed.add(coverage)
    return summed


def report(coverage: Coverage, statuses: Catalogue, required: list[str], *, natural: bool) -> Any:
    """What is shown of `coverage`; `missing` are those of `required` that were not met.

    With `natural` an answer that was forced meets nothing. Two spellings of one status are met
    together.
    """
    counted = coverage.natural if natural else coverage.natural + coverage.forced
    spellings = {row.slug: row.alias_of or row.slug for row in statuses}
    met = {spellings[slug] for slug in counted if slug in spellings}
    return {
        "met": sum(meant in met for meant in spellings.values()),
        "of": len(spellings),
        "missing": [slug for slug in required if spellings[slug] not in met],
        "statuses": [
            {"slug": slug, "natural": coverage.natural[slug], "forced": coverage.forced[slug]}
            for slug in spellings
        ],
    }


def summary(coverage: Coverage, statuses: Catalogue) -> str:
    """What is printed when the stub ends: which statuses its callers have met, and which not."""
    found = report(coverage, statuses, [row.slug for row in statuses], natural=False)
    lines = [f"\nStatuses met: {found['met']} of {found['of']}"]
    lines += [
        f"  {row['slug']:<26} {row['natural']:>6} by the rules {row['forced']:>6} forced"
        for row in found["statuses"]
        if row["natural"] or row["forced"]
    ]
    if found["met"] and found["missing"]:
        lines.append(f"  never met: {', '.join(found['missing'])}")
    return "\n".join(lines) + "\n"


def required(asked: str, statuses: Catalogue) -> list[str]:
    """The slugs that `asked` names: all, common, or slugs. Raises Problem."""
    if asked == ALL:
        return [row.slug for row in statuses]
    if asked == COMMON:
        return [row.slug for row in statuses if not row.uncommon]
    known = [row.slug for row in statuses]
    slugs = [word.strip() for word in asked.split(",")]
    for slug in slugs:
        if slug not in known:
            raise Problem(
                "unknown-status",
                f"require: no status is called {slug!r}",
                suggestion(slug, [ALL, COMMON, *known]),
            )
    return slugs
