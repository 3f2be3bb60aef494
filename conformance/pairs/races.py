"""Simultaneous registrations of one address in several spellings, of which one may succeed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple

from clients_register.conformance.pairs.case_builder import (
    CaseBuilder,
    Send,
    find_questions,
    is_success,
)
from clients_register.conformance.pairs.table import RaceOwner, Table

# The parameters of each kind of proof.
PROOFS: Mapping[str, Mapping[str, str]] = {
    "password": {"client.password": "${user.password}"},
    "token": {"token": "${token}"},
}


class Race(NamedTuple):
    """One race: whose address it is for, how many registrations succeed, and its step."""

    owner: RaceOwner
    winners: int
    step: Mapping[str, Any]


def build_races(table: Table) -> Iterator[Race]:
    """Builds the race for each owner's address."""
    for owner in table.races.owners:
        proofs = cycle(owner.proofs or [""])
        sends: list[Send] = []
        for spelling, changes in table.races.contestants.items():
            address = table.factors["spelling"][spelling].spell(owner.email)
            proof = PROOFS.get(next(proofs), {})
            sends.append({"set": {"client.email": address, **proof, **changes}})
        yield _race(owner, sends, table.races.times)


def _race(owner: RaceOwner, sends: Sequence[Send], times: int) -> Race:
    case = CaseBuilder()
    if owner.state is not None:
        case.arrange(owner.state)
    outcomes = [case.send(each) for each in sends for _ in range(times)]
    counts = Counter(each.status.slug for each in outcomes)
    winners = sum(map(is_success, outcomes))
    email = "${winner}" if winners else f"${{{owner.email}}}"
    expect: list[dict[str, Any]] = [{"outcomes": dict(counts)}]
    if winners:
        expect += [{"as_sent": True}, {"mailed": winners, "email": email}]
    expect.append({"stored": True, "email": email})
    step: dict[str, Any] = {
        "questions": sorted({key for each in outcomes for key in find_questions(each)}),
        "send": sends[0],
        "together": [{"send": each} for each in sends[1:]],
        "parallel": times,
        **({"keep": {"winner": "/data/email"}} if winners else {}),
        "expect": expect,
    }
    return Race(owner, winners, step)
