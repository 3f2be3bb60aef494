"""Rows of `x-statuses` that contradict each other are found when the document is read."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from clients_register import spec
from clients_register.spec.catalogue import Catalogue, SpecError, Stage, catalogue

Rows = list[dict[str, Any]]


def swap(rows: Rows, one: int, other: int) -> None:
    rows[one], rows[other] = rows[other], rows[one]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[3].update(slug=rows[4]["slug"]), "each slug stands once"),
        (lambda rows: rows[3].update(facts=rows[4]["facts"]), "each fact stands in one row"),
        (lambda rows: swap(rows, 1, 5), "stages come in the order routing, deployment"),
        (lambda rows: rows.pop(-2), "last row must be the one of stage success"),
        (lambda rows: rows[-1].update(alias_of="nothing"), "alias_of names 'nothing'"),
    ],
)
def test_a_contradiction_is_told_with_its_place(
    change: Callable[[Rows], object], message: str
) -> None:
    document = copy.deepcopy(spec.load("openapi"))
    change(document["x-statuses"])
    with pytest.raises(SpecError, match=message):
        Catalogue.of(document)


def test_the_rows_come_in_the_order_of_the_document() -> None:
    written = [row["slug"] for row in spec.load("openapi")["x-statuses"]]
    assert [row.slug for row in catalogue()] == written


@pytest.mark.parametrize("stage", Stage)
def test_each_stage_has_its_rows(stage: Stage) -> None:
    rows = catalogue().at(stage)
    assert rows
    assert {row.stage for row in rows} == {stage}


def test_a_broken_fact_leads_to_its_row() -> None:
    statuses = catalogue()
    for row in statuses.rows:
        for fact in row.facts:
            assert statuses.broken(fact) is row


def test_another_spelling_answers_in_the_place_of_the_first() -> None:
    (alias,) = catalogue().aliases
    spelt = catalogue().spelt(alias.slug)
    assert alias.alias_of not in {row.slug for row in spelt.rows}
    assert [row.facts for row in spelt.rows] == [row.facts for row in catalogue().rows]


@pytest.mark.parametrize("slug", ["", "action-successful", "email-already-registered"])
def test_what_is_no_other_spelling_is_refused(slug: str) -> None:
    with pytest.raises(ValueError, match="email-already-registerd"):
        catalogue().spelt(slug)
