"""Which error wins: the matrix is the order of the spec, and it is complete."""

from itertools import combinations

from support.fuzzing import explored
from support.stub import LiveStub
from support.verifying import base

from clients_register.conformance.fuzzing import order
from clients_register.spec.catalogue import catalogue

ROWS = {fact: number for number, row in enumerate(catalogue().rows) for fact in row.facts}


def test_every_fact_of_the_spec_has_a_fault_that_breaks_it() -> None:
    assert {each.fact for each in order.FAULTS} == set(ROWS)


def test_every_two_rows_meet_that_can_meet() -> None:
    met = {frozenset(ROWS[each.fact] for each in probe) for probe in order.probes(2)}
    crashes = [ROWS["request_is_identified"], ROWS["nothing_unforeseen_happens"]]
    # One token has one fault; what has no params has none in them; there is one crash at a time.
    tokens = [ROWS[fact] for fact in ("token_is_known", "session_is_live", "user_has_a_role")]
    inner = [row for fact, row in ROWS.items() if tokens[0] <= row <= ROWS["user_is_proven"]]
    apart = {frozenset(pair) for pair in combinations(tokens, 2)}
    apart |= {frozenset({ROWS["params_are_passed"], row}) for row in inner}
    apart.add(frozenset(crashes))
    every = {frozenset(pair) for pair in combinations(sorted(set(ROWS.values())), 2)}
    assert every - met <= apart


def test_the_first_row_of_the_spec_wins_in_every_pair(stub: LiveStub) -> None:
    with explored(base(stub), 450, "order") as (campaign, _):
        won = campaign.matrix.won
    facts = {each.name: each.fact for each in order.FAULTS}
    pairs = [names for names in won if len(names) == 2]
    assert len(pairs) > 300
    # `{}` is left where both required parameters are dropped, and that is a row of its own.
    empty = ("no application", "no client")
    for names in pairs:
        first = min(ROWS[facts[name]] for name in names)
        if names != empty:
            assert won[names] == catalogue().rows[first].slug, names
    assert won[empty] == catalogue().broken("params_are_passed").slug


def test_where_the_server_is_of_another_mind_it_is_marked(stub: LiveStub) -> None:
    stub.control("PUT", "/faults", {})
    with explored(base(stub), 450, "order") as (campaign, _):
        told = campaign.matrix.told()
    assert all(each["as_expected"] for each in told["probes"])
    assert told["not_arranged"] == 0
