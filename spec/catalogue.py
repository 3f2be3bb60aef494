"""The statuses of the contract, as the rows of `x-statuses` in openapi.yaml tell them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any

from clients_register import spec


class SpecError(ValueError):
    """The document contradicts itself; the message says where and what was expected."""


class Stage(StrEnum):
    """The parts of a server, in the order in which a request meets them."""

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

    `facts` must hold for the next row to be looked at; `carries` are the keys of the envelope
    beside `code` and `status`; `alias_of` is the slug that this one is another spelling of.
    """

    slug: str
    code: int
    stage: Stage
    facts: tuple[str, ...]
    carries: tuple[str, ...]
    uncommon: bool
    meaning: str
    requirement: str
    evidence: Mapping[str, Mapping[str, str]]
    alias_of: str | None = None


class Catalogue:
    """All statuses: the rows that answer, in order of precedence, and the other spellings."""

    def __init__(self, rows: tuple[Status, ...], aliases: tuple[Status, ...] = ()) -> None:
        self.rows = rows
        self.aliases = aliases
        self._by_fact = {fact: row for row in rows for fact in row.facts}
        self._by_stage = {
            stage: tuple(row for row in rows if row.stage is stage) for stage in Stage
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Catalogue":
        """Reads `x-statuses` of an OpenAPI document; raises SpecError where rows contradict."""
        written = document["x-statuses"]
        rows = tuple(_row(entry) for entry in written if "alias_of" not in entry)
        by_slug = {row.slug: row for row in rows}
        aliases = tuple(
            _alias(entry, by_slug) for entry in written if entry.get("alias_of") is not None
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
        """The status of a request that no other row refused."""
        return self.rows[-1]

    def at(self, stage: Stage) -> tuple[Status, ...]:
        """The rows that `stage` judges, in order of precedence."""
        return self._by_stage[stage]

    def broken(self, fact: str) -> Status:
        """The status that answers when `fact` does not hold. KeyError if no row names it."""
        return self._by_fact[fact]

    def spelt(self, slug: str) -> "Catalogue":
        """This catalogue, answering with the alias `slug` instead of the status it stands for.

        Raises ValueError, naming the aliases there are, if `slug` is none of them.
        """
        alias = next((row for row in self.aliases if row.slug == slug), None)
        if alias is None:
            known = ", ".join(row.slug for row in self.aliases)
            raise ValueError(f"expected another spelling that the spec lists ({known}): {slug!r}")
        rows = tuple(alias if row.slug == alias.alias_of else row for row in self.rows)
        return Catalogue(rows, self.aliases)


def catalogue() -> Catalogue:
    """The catalogue of the shipped openapi.yaml."""
    return Catalogue.of(spec.load("openapi"))


def _row(entry: Mapping[str, Any]) -> Status:
    return Status(
        slug=entry["slug"],
        code=entry["code"],
        stage=Stage(entry["stage"]),
        facts=tuple(entry["facts"]),
        carries=tuple(entry["carries"]),
        uncommon=entry["uncommon"],
        meaning=entry["meaning"],
        requirement=entry["requirement"],
        evidence=entry["evidence"],
    )


def _alias(entry: Mapping[str, Any], by_slug: Mapping[str, Status]) -> Status:
    meant = by_slug.get(entry["alias_of"])
    if meant is None:
        raise SpecError(
            f"x-statuses, {entry['slug']}: alias_of names {entry['alias_of']!r}, which is no row"
        )
    return replace(
        meant,
        slug=entry["slug"],
        code=entry["code"],
        meaning=entry["meaning"],
        requirement=entry["requirement"],
        evidence=entry["evidence"],
        alias_of=meant.slug,
    )


def _check(rows: tuple[Status, ...], aliases: tuple[Status, ...]) -> None:
    slugs = [row.slug for row in (*rows, *aliases)]
    if doubled := sorted({slug for slug in slugs if slugs.count(slug) > 1}):
        raise SpecError(f"x-statuses: each slug stands once, found twice: {', '.join(doubled)}")
    facts = [fact for row in rows for fact in row.facts]
    if doubled := sorted({fact for fact in facts if facts.count(fact) > 1}):
        raise SpecError(f"x-statuses: each fact stands in one row, found in two: {doubled}")
    order = list(Stage)
    for before, after in pairwise(rows):
        if order.index(before.stage) > order.index(after.stage):
            raise SpecError(
                f"x-statuses: {after.slug} ({after.stage}) stands after {before.slug}"
                f" ({before.stage}), but stages come in the order {', '.join(order)}"
            )
    if not rows or rows[-1].stage is not Stage.SUCCESS:
        raise SpecError("x-statuses: the last row must be the one of stage success")
