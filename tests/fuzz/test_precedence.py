"""The precedence matrix has the order of the spec, and is complete."""

from itertools import combinations
from pathlib import Path

import pytest
from support.live import LiveStub
from support.suite import base, explored, fuzzed, mutant, profile

from clients_register.conformance.fuzz.precedence import FAULTS, combinations_of
from clients_register.spec.statuses import load_statuses

# Coverage would double the time that it takes, and other tests reach the same lines.
pytestmark = pytest.mark.no_cover

ROWS = {fact: number for number, row in enumerate(load_statuses().rows) for fact in row.rules}


def test_every_fact_of_the_spec_has_a_fault_that_breaks_it() -> None:
    assert {each.rule for each in FAULTS} == set(ROWS)


def test_every_two_rows_meet_that_can_meet() -> None:
    met = {frozenset(ROWS[each.rule] for each in probe) for probe in combinations_of(2)}
    crashes = [ROWS["request_is_identified"], ROWS["nothing_unforeseen_happens"]]
    # One token has one fault; what has no params has none in them; there is one crash at a time.
    tokens = [ROWS[fact] for fact in ("token_is_known", "session_is_live", "user_has_a_role")]
    inner = [row for fact, row in ROWS.items() if tokens[0] <= row <= ROWS["user_is_proven"]]
    apart = {frozenset(pair) for pair in combinations(tokens, 2)}
    apart |= {frozenset({ROWS["params_are_passed"], row}) for row in inner}
    apart.add(frozenset(crashes))
    every = {frozenset(pair) for pair in combinations(sorted(set(ROWS.values())), 2)}
    assert every - met <= apart


@pytest.mark.no_cover
def test_the_first_row_of_the_spec_wins_in_every_pair(stub: LiveStub) -> None:
    with explored(base(stub), 450, "order") as (campaign, _):
        won = campaign.matrix.statuses
        told = campaign.coverage.to_dict(load_statuses())
    # This layer alone reaches every status but the aliases, and breaks every rule.
    aliases = {each.slug for each in load_statuses().aliases}
    assert {each["slug"] for each in told["statuses"] if not each["met"]} <= aliases
    assert [each["fact"] for each in told["rules"] if not each["broken"]] == []
    facts = {each.name: each.rule for each in FAULTS}
    pairs = [names for names in won if len(names) == 2]
    assert len(pairs) > 300
    # `{}` is left where both required parameters are dropped, and that is a row of its own.
    empty = ("no application", "no client")
    for names in pairs:
        first = min(ROWS[facts[name]] for name in names)
        if names != empty:
            assert won[names] == load_statuses().rows[first].slug, names
    assert won[empty] == load_statuses().for_rule("params_are_passed").slug


@pytest.mark.no_cover
def test_wherever_a_server_is_of_another_mind_it_is_marked() -> None:
    with mutant("missing-as-invalid") as url, explored(url, 450, "order") as (campaign, _):
        told = campaign.matrix.to_dict()
    missing = {"no application", "no client"}
    marked = [set(each["faults"]) for each in told["probes"] if not each["as_expected"]]
    assert len(marked) > 10
    assert all(missing & names for names in marked)
    assert {"no application"} in marked
    assert told["not_arranged"] == 0


def test_on_a_server_that_is_not_ours_the_order_is_observed(tmp_path: Path) -> None:
    with mutant("missing-as-invalid") as url:
        file = profile(tmp_path, base=url)
        argv = ("--profile", file, "--requests", "450", "--layer", "order", "--seed", "1")
        _, report, said = fuzzed(tmp_path, *argv)
    marked = [each for each in report["fuzz"]["order"]["probes"] if not each["as_expected"]]
    assert any(len(each["faults"]) == 2 for each in marked), said
    faults = [each for each in report["cases"] if each["verdict"] != "pass"]
    # The page says how each error is reported alone, and nothing about two of them.
    assert {each["verdict"] for each in faults} == {"fail"}
    assert report["fuzz"]["order"]["not_arranged"] > 0
