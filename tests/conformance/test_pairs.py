"""The cases that are derived from the table of properties."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest

from clients_register.conformance.case import (
    Case,
    load_cases,
    parse_cases,
    read_case_files,
)
from clients_register.conformance.pairs.covering import Covering
from clients_register.conformance.pairs.document import (
    AREAS,
    COMMAND,
    build_case,
    load_covering,
    render_files,
)
from clients_register.conformance.pairs.scenario import DECISIVE, Scenario
from clients_register.conformance.pairs.table import (
    Impossible,
    Pair,
    Races,
    Setting,
    Table,
    Value,
    load_table,
    pairs_of,
)
from clients_register.spec.statuses import load_statuses

TABLE = load_table()
USUAL = {name: TABLE.usual(name) for name in TABLE.factors}


def values_of(case: Case) -> dict[str, str]:
    """The combination of which a case is named: the usual values, and those in its id."""
    found = dict(USUAL)
    rest = case.id.partition("/")[2].removeprefix("usual")
    for factor, values in TABLE.factors.items():
        for name in sorted(values, key=len, reverse=True):
            if f"{rest}-".startswith(f"{name}-") and name != TABLE.usual(factor):
                found[factor] = name
                rest = rest[len(name) + 1 :]
                break
    assert rest == "", case.id
    return found


def derived(area: str) -> list[Case]:
    return [case for case in load_cases() if case.area == area]


@pytest.mark.once
def test_the_case_files_are_those_of_the_table() -> None:
    shipped = read_case_files()
    for name, text in render_files().items():
        assert shipped[name] == text, f"run `{COMMAND}`"


def test_each_pair_is_in_a_case_or_impossible_for_a_reason() -> None:
    covering = load_covering()
    covered = {pair for case in derived("pairs") for pair in covering.covered_by(values_of(case))}
    named = {pair for pair in TABLE.pairs() if TABLE.reason_against(dict(pair)) is not None}
    assert covered & named == set()
    assert set(TABLE.pairs()) - covered - named == set()
    assert len(covered) > 800


def test_a_pair_that_the_table_calls_impossible_is_in_no_case() -> None:
    for case in derived("pairs"):
        combination = values_of(case)
        assert TABLE.reason_against(combination) is None, case.id


def test_each_impossible_combination_excludes_something_that_no_other_does() -> None:
    for each in TABLE.impossible:
        others = [other for other in TABLE.impossible if other is not each]
        (one,) = [{name: sorted(values)[0] for name, values in each.values.items()}]
        assert not any(other.excludes(one) for other in others), each.reason


def test_a_case_is_named_by_its_values() -> None:
    for case in derived("pairs"):
        assert build_case(TABLE, values_of(case))["id"] == case.id


def test_every_request_of_a_derived_case_is_judged() -> None:
    for case in derived("pairs"):
        for step in case.steps:
            assert step.send is None or step.expect, case.id
            assert all(each.expect for each in step.together), case.id


@pytest.mark.parametrize("kind", ["as_sent", "mailed", "used", "stored", "outcomes"])
def test_derived_cases_check_each_kind_of_consequence(kind: str) -> None:
    kinds = {
        each.kind
        for area, _ in AREAS.values()
        for case in derived(area)
        for each in case.expectations
    }
    assert kind in kinds


def test_a_session_that_is_used_in_a_refused_request_is_tried_after_its_old_limit() -> None:
    combination = {**USUAL, "session": "live", "bearer": "of-client", "before": "after-unfit"}
    scenario = Scenario(TABLE, combination)
    scenario.build()
    assert [each.get("clock", {}).get("advance") for each in scenario.case.steps] == [
        *("P2D", None, "P2D", None, "P2D", None),
    ]
    assert all("token" in each["send"]["set"] for each in scenario.case.steps if "send" in each)


def test_a_request_before_is_sent_on_the_connection_that_the_table_says() -> None:
    def sent(connection: str) -> list[dict[str, Any]]:
        combination = {**USUAL, "before": "after-invalid", "connection": connection}
        scenario = Scenario(TABLE, combination)
        scenario.build()
        return scenario.case.steps

    assert "headers" not in sent("kept")[0]["send"]
    assert sent("apart")[0]["send"]["headers"] == {"Connection": "close"}
    assert len(sent("at-once")[0]["together"]) == 1


def small_table(impossible: Mapping[str, str] | None = None) -> Table:
    names = {"one": "abc", "two": "def", "three": "gh"}
    factors = {
        factor: {name: Value(name, name) for name in values} for factor, values in names.items()
    }
    excluded = {name: frozenset([value]) for name, value in (impossible or {}).items()}
    return Table(
        factors,
        (Impossible(excluded, "so the test says"),) if excluded else (),
        Races(1, {}, ()),
    )


def cover(table: Table, violating: frozenset[str] = frozenset()) -> tuple[Covering, set[Pair]]:
    covering = Covering(
        table, ("one", "two"), lambda core: len(violating.intersection(core.values()))
    )
    return covering, {pair for each in covering.choose() for pair in covering.covered_by(each)}


def test_a_covering_has_every_pair() -> None:
    table = small_table()
    covering, covered = cover(table)
    assert covered == covering.possible == set(table.pairs())
    assert len(covering.choose()) <= 10


def test_an_impossible_pair_is_not_covered_and_all_others_are() -> None:
    table = small_table({"one": "a", "three": "g"})
    covering, covered = cover(table)
    excluded = (Setting("one", "a"), Setting("three", "g"))
    assert covered == covering.possible == set(table.pairs()) - {excluded}


def test_a_pair_is_covered_where_nothing_else_is_violated() -> None:
    table = small_table()
    covering, covered = cover(table, frozenset("ad"))
    assert covered == set(table.pairs())
    hidden = {"one": "a", "two": "e", "three": "g"}
    assert (Setting("two", "e"), Setting("three", "g")) in set(pairs_of(hidden))
    assert (Setting("two", "e"), Setting("three", "g")) not in set(covering.covered_by(hidden))
    assert (Setting("one", "a"), Setting("three", "g")) in set(covering.covered_by(hidden))


def test_the_choice_is_the_same_each_time() -> None:
    assert cover(small_table())[0].choose() == cover(small_table())[0].choose()


def test_the_shipped_files_match_the_schema() -> None:
    assert parse_cases(read_case_files(), load_statuses(), {}) == load_cases()


def test_each_value_that_decides_a_response_is_in_the_table() -> None:
    assert set(DECISIVE) < set(TABLE.factors)
    for one, other in combinations(TABLE.factors.values(), 2):
        assert set(one) & set(other) == set(), "ids name values without their properties"
