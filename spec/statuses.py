"""The table of statuses, from the rows of `x-statuses` in openapi.yaml.

The order of the rows is the order of precedence: the first row with a violated rule determines the
response.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any

from clients_register import spec


class SpecError(ValueError):
    """The document contradicts itself; the message says where and what was expected."""


class Stage(StrEnum):
    """The stages of request processing, in order."""

    ROUTING = "routing"
    DEPLOYMENT = "deployment"
    TRANSPORT = "transport"
    IDENTITY = "identity"
    PARAMS = "params"
    EFFECTS = "effects"
    SUCCESS = "success"


@dataclass(frozen=True)
class Status:
    """One row of `x-statuses`.

    `rules` lists the rules whose violation leads to this status, and `carries` the envelope keys
    besides `code` and `status`. `alias_of` is the slug that this one is another spelling of.
    `instead_of` is one in whose place some servers may return this one.
    """

    slug: str
    code: int
    stage: Stage
    rules: tuple[str, ...]
    carries: tuple[str, ...]
    uncommon: bool
    meaning: str
    requirement: str
    evidence: Mapping[str, Mapping[str, str]]
    alias_of: str | None = None
    instead_of: str | None = None


class StatusTable:
    """All statuses: `rows` in order of precedence, and `aliases`, the alternative spellings."""

    def __init__(self, rows: tuple[Status, ...], aliases: tuple[Status, ...] = ()) -> None:
        self.rows = rows
        self.aliases = aliases
        self._by_rule = {rule: row for row in rows for rule in row.rules}
        self._by_stage = {
            stage: tuple(row for row in rows if row.stage is stage) for stage in Stage
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "StatusTable":
        """Reads `x-statuses` from an OpenAPI document. Raises SpecError if rows conflict."""
        entries = document["x-statuses"]
        rows = tuple(_parse_row(entry) for entry in entries if "alias_of" not in entry)
        by_slug = {row.slug: row for row in rows}
        aliases = tuple(
            _parse_alias(entry, by_slug) for entry in entries if entry.get("alias_of") is not None
        )
        _check(rows, aliases)
        return cls(rows, aliases)

    def __iter__(self) -> Iterator[Status]:
        """Every documented status, aliases last."""
        yield from self.rows
        yield from self.aliases

    @property
    def slugs(self) -> tuple[str, ...]:
        """Every documented slug, aliases last."""
        return tuple(status.slug for status in self)

    @property
    def success(self) -> Status:
        """The status of a request that violates no rule."""
        return self.rows[-1]

    def find(self, slug: str | None) -> Status | None:
        """Returns the status with this slug; None if it is not documented."""
        return next((row for row in self if row.slug == slug), None)

    def spellings(self, slug: str) -> set[str]:
        """Returns `slug` and every alternative spelling of it. Raises KeyError."""
        rows = {row.slug: row for row in self}
        canonical = rows[slug].alias_of or slug
        return {row.slug for row in self if canonical in (row.slug, row.alias_of)}

    def in_stage(self, stage: Stage) -> tuple[Status, ...]:
        """The rows of `stage`, in order of precedence."""
        return self._by_stage[stage]

    def for_rule(self, rule: str) -> Status:
        """The status returned when `rule` is violated. Raises KeyError for an unknown rule."""
        return self._by_rule[rule]

    def with_spelling(self, slug: str) -> "StatusTable":
        """Returns this table with the alias `slug` in place of the status it is an alias of.

        Raises ValueError, naming the known aliases, if `slug` is not one of them.
        """
        alias = next((row for row in self.aliases if row.slug == slug), None)
        if alias is None:
            known = ", ".join(row.slug for row in self.aliases)
            raise ValueError(f"expected an alternative spelling from the spec ({known}): {slug!r}")
        rows = tuple(alias if row.slug == alias.alias_of else row for row in self.rows)
        return StatusTable(rows, self.aliases)


def load_statuses() -> StatusTable:
    """Loads the table from the shipped openapi.yaml."""
    return StatusTable.from_document(spec.load("openapi"))


def _parse_row(entry: Mapping[str, Any]) -> Status:
    return Status(
        slug=entry["slug"],
        code=entry["code"],
        stage=Stage(entry["stage"]),
        rules=tuple(entry["rules"]),
        carries=tuple(entry["carries"]),
        uncommon=entry["uncommon"],
        meaning=entry["meaning"],
        requirement=entry["requirement"],
        evidence=entry["evidence"],
        instead_of=entry.get("instead_of"),
    )


def _parse_alias(entry: Mapping[str, Any], by_slug: Mapping[str, Status]) -> Status:
    original = by_slug.get(entry["alias_of"])
    if original is None:
        raise SpecError(
            f"x-statuses, {entry['slug']}: expected alias_of to name a row,"
            f" found {entry['alias_of']!r}"
        )
    return replace(
        original,
        slug=entry["slug"],
        code=entry["code"],
        meaning=entry["meaning"],
        requirement=entry["requirement"],
        evidence=entry["evidence"],
        alias_of=original.slug,
    )


def _check(rows: tuple[Status, ...], aliases: tuple[Status, ...]) -> None:
    slugs = [row.slug for row in (*rows, *aliases)]
    if repeated := sorted({slug for slug in slugs if slugs.count(slug) > 1}):
        raise SpecError(f"x-statuses: expected each slug once, found twice: {', '.join(repeated)}")
    rules = [rule for row in rows for rule in row.rules]
    if repeated := sorted({rule for rule in rules if rules.count(rule) > 1}):
        raise SpecError(
            f"x-statuses: expected each rule in one row, found in two: {', '.join(repeated)}"
        )
    order = list(Stage)
    for before, after in pairwise(rows):
        if order.index(before.stage) > order.index(after.stage):
            raise SpecError(
                f"x-statuses: expected stages in the order {', '.join(order)}, found"
                f" {after.slug} ({after.stage}) after {before.slug} ({before.stage})"
            )
    if not rows or rows[-1].stage is not Stage.SUCCESS:
        raise SpecError("x-statuses: expected the last row to be the one of stage success")
