"""Rows of `x-statuses` that contradict each other are found when the document is read."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from clients_register import spec
from clients_register.spec.statuses import SpecError, Stage, StatusTable, load_statuses

Rows = list[dict[str, Any]]


def swap(rows: Rows, one: int, other: int) -> None:
    rows[one], rows[other] = rows[other], rows[one]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[3].update(slug=rows[4]["slug"]), "expected each slug once"),
        (lambda rows: rows[3].update(rules=rows[4]["rules"]), "expected each rule in one row"),
        (lambda rows: swap(rows, 1, 5), "expected stages in the order routing, deployment"),
        (lambda rows: rows.pop(-2), "expected the last row to be the one of stage success"),
        (
            lambda rows: rows[-1].update(alias_of="nothing"),
            "expected alias_of to name a row, found 'nothing'",
        ),
    ],
)
def test_a_contradiction_is_told_with_its_place(
    change: Callable[[Rows], object], message: str
) -> None:
    document = copy.deepcopy(spec.load("openapi"))
    change(document["x-statuses"])
    with pytest.raises(SpecError, match=message):
        StatusTable.from_document(document)


def test_the_rows_come_in_the_order_of_the_document() -> None:
    written = [row["slug"] for row in spec.load("openapi")["x-statuses"]]
    assert [row.slug for row in load_statuses()] == written


@pytest.mark.parametrize("stage", Stage)
def test_each_stage_has_its_rows(stage: Stage) -> None:
    rows = load_statuses().in_stage(stage)
    assert rows
    assert {row.stage for row in rows} == {stage}


def test_a_broken_fact_leads_to_its_row() -> None:
    statuses = load_statuses()
    for row in statuses.rows:
        for fact in row.rules:
            assert statuses.for_rule(fact) is row


def test_another_spelling_answers_in_the_place_of_the_first() -> None:
    (alias,) = load_statuses().aliases
    spelt = load_statuses().with_spelling(alias.slug)
    assert alias.alias_of not in {row.slug for row in spelt.rows}
    assert [row.rules for row in spelt.rows] == [row.rules for row in load_statuses().rows]


@pytest.mark.parametrize("slug", ["", "action-successful", "email-already-registered"])
def test_what_is_no_other_spelling_is_refused(slug: str) -> None:
    with pytest.raises(ValueError, match="email-already-registerd"):
        load_statuses().with_spelling(slug)
