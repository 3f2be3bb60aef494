"""Holds one answer against what the oracle allows."""

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from clients_register.conformance.envelope import ABSENT, shown
from clients_register.conformance.findings import Finding, judged
from clients_register.conformance.fuzzing.oracle import Allowed, Outcome
from clients_register.conformance.fuzzing.params import VIEWS, Params
from clients_register.conformance.fuzzing.world import World
from clients_register.conformance.matching import Seen, same
from clients_register.conformance.verdicts import Grade, weaker
from clients_register.spec.statuses import Stage

# Members of the client that come back as they were sent, null where they were not.
RETURNED = ("first_name", "last_name", "phone", "company_id", "company_name")


def outcome_of(allowed: Allowed, seen: Seen) -> tuple[Outcome | None, list[Finding]]:
    """Which of the outcomes it is, if it is one, and what is wrong with it."""
    named = allowed.of(seen.slug)
    if not named:
        wanted = " or ".join(dict.fromkeys(each.status.slug for each in allowed.outcomes))
        grade = reduce(weaker, (each.grade for each in allowed.outcomes))
        said = seen.slug or f"HTTP {seen.answer.code} without a status"
        return None, [judged("status", grade, wanted, said, right=False)]
    found = seen.find("/errors")
    for each in named:
        if each.errors is None or same(found, _entries(each)):
            return each, []
    wanted = " or ".join(shown(_entries(each)) for each in named)
    grade = weaker(Grade.FAMILY, named[0].grade)
    return named[0], [judged("errors", grade, wanted, shown(found), right=False)]


def success(outcome: Outcome, allowed: Allowed, world: World, seen: Seen) -> Iterator[Finding]:
    """What is wrong with what an answer of success tells."""
    if outcome.status.stage is not Stage.SUCCESS:
        return
    params = allowed.params
    yield from _client(params, seen.find("/data"))
    yield from _keys("session", _view(params, "session"), seen.find("/session"))
    yield from _keys("application", _view(params, "application"), seen.find("/application"))
    slug = params["application"]
    name = world.applications.get(slug) or seen.find("/application/name")
    for pointer, wanted in (
        ("/session/application", slug),
        ("/session/remember_me", False),
        ("/application", {"slug": slug, "name": name}),
    ):
        yield from _missed(pointer, Grade.DECIDED, wanted, seen.find(pointer))


def _client(params: Params, data: Any) -> Iterator[Finding]:
    keys = _view(params, "client")
    yield from _keys("client", keys, data)
    if not isinstance(data, Mapping):
        return
    wanted: dict[str, Any] = {name: params[f"client.{name}"] for name in RETURNED}
    wanted["email"] = params.email
    wanted["enterprise"] = params["enterprise"] is True and params["client.company_id"] is None
    for name in set(keys).intersection(wanted):
        yield from _missed(f"/data/{name}", Grade.DOCUMENTED, wanted[name], data.get(name, ABSENT))
    number = data.get("id", ABSENT)
    if type(number) is not int:
        yield judged("/data/id", Grade.DECIDED, "an integer", shown(number), right=False)


def _view(params: Params, kind: str) -> tuple[str, ...]:
    asked = params["view" if kind == "client" else f"{kind}_view"]
    return VIEWS[kind][asked or "default"]


def _keys(what: str, keys: tuple[str, ...], found: Any) -> Iterator[Finding]:
    if not isinstance(found, Mapping) or set(found) != set(keys):
        wanted = f"an object of {', '.join(sorted(keys))}"
        yield judged(what, Grade.DECIDED, wanted, shown(found), right=False)


def _missed(pointer: str, grade: Grade, wanted: Any, found: Any) -> Iterator[Finding]:
    if not same(found, wanted):
        yield judged(pointer, grade, shown(wanted), shown(found), right=False)


def _entries(outcome: Outcome) -> list[dict[str, str]]:
    return [{"attr": attr, "message": message} for attr, message in outcome.errors or ()]
