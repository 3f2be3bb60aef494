"""Case files: errors in them are reported before anything is sent."""

import pytest

from clients_register import spec
from clients_register.conformance.case import CaseError, load_cases, parse_cases, select_cases
from clients_register.spec.statuses import load_statuses

KNOWN = load_statuses()
SLUG = KNOWN.success.slug

CASE = f"""
area: some-area
about: Something.
cases:
  - id: some-area/first
    title: a registration succeeds
    requires: [R-CLIENT-CREATED]
    expect:
      - {{status: {SLUG}}}
"""


def test_the_shipped_cases_are_in_order() -> None:
    assert len(load_cases()) >= 150


def test_every_testable_requirement_is_claimed_by_a_case() -> None:
    claimed = {key for case in load_cases() for key in case.requires if case.expectations}
    testable = {
        key
        for key, written in spec.load("requirements")["requirements"].items()
        if written["testable"]
    }
    assert testable - claimed == set()


def test_no_untestable_requirement_is_claimed() -> None:
    requirements = spec.load("requirements")["requirements"]
    claimed = {key for case in load_cases() for key in case.requires}
    assert {key for key in claimed if not requirements[key]["testable"]} == set()


def test_every_status_is_expected_by_a_case() -> None:
    expected = {
        each.terms["status"]
        for case in load_cases()
        for each in case.expectations
        if each.kind == "status"
    }
    aliased = {row.alias_of for row in KNOWN.aliases}
    assert {row.slug for row in KNOWN.rows} - expected - aliased == set()


def test_a_case_is_read_whole() -> None:
    (case,) = parse_cases({"some.yaml": CASE}, KNOWN, {})
    assert (case.id, case.area, case.documented) == ("some-area/first", "some-area", True)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("area: some-area", "area: Some Area", "area"),
        ("id: some-area/first", "id: first", "cases[0].id"),
        ("id: some-area/first", "id: other-area/first", "begins with its area, some-area/"),
        ("a registration succeeds", "a registration should succeed", "cases[0].title"),
        ("R-CLIENT-CREATED", "R-UNHEARD-OF", "R-UNHEARD-OF is no requirement"),
        (SLUG, "unheard-of", "unheard-of is no status"),
        (f"status: {SLUG}", f"status: {SLUG}, grade: documented", "cases[0].expect[0]"),
        (f"status: {SLUG}", "state: none", "cases[0].expect[0]"),
        (
            f"status: {SLUG}",
            "errors: [{attr: client, message: unheard-of}]",
            "unheard-of is no message",
        ),
        ("expect:", "before: [{clock: {advance: P1D}}]\n    expect:", "needs the state clock"),
        ("expect:", "parallel: 4\n    expect:", "`parallel` needs `outcomes`"),
        ("expect:", "arrange: [nirvana]\n    expect:", "cases[0].arrange[0]"),
        ("area: some-area", "area: [", "expected YAML"),
    ],
)
def test_a_fault_is_told_with_its_place(before: str, after: str, told: str) -> None:
    with pytest.raises(CaseError) as refused:
        parse_cases({"some.yaml": CASE.replace(before, after, 1)}, KNOWN, {})
    assert told in str(refused.value)


def test_an_id_stands_once() -> None:
    with pytest.raises(CaseError, match="some-area/first: this id is used twice"):
        parse_cases({"a.yaml": CASE, "b.yaml": CASE}, KNOWN, {})


@pytest.mark.parametrize(
    ("locked", "told"),
    [
        ({"some-area/other": True, "some-area/first": True}, "no case has the id some-area/other"),
        ({"some-area/other": False}, "some-area/first: not in ids.lock"),
        ({"some-area/first": False}, "is retired"),
    ],
)
def test_the_lock_file_has_every_id_that_ever_was(locked: dict[str, bool], told: str) -> None:
    with pytest.raises(CaseError, match=told):
        parse_cases({"some.yaml": CASE}, KNOWN, locked)


@pytest.mark.parametrize(
    ("patterns", "count"),
    [((), 1), (("some-area/*",), 1), (("R-CLIENT-*",), 1), (("other/*",), 0), (("*irst", "x"), 1)],
)
def test_cases_are_chosen_by_globs(patterns: tuple[str, ...], count: int) -> None:
    cases = parse_cases({"some.yaml": CASE}, KNOWN, {})
    assert len(select_cases(cases, patterns)) == count
