"""Which status answers where several could: the first in the spec's order."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.live import Live, altered, encoded, registration
from support.store import Keep

from clients_register import spec
from clients_register.handlers.settings import Settings
from clients_register.spec.statuses import Stage, StatusTable, load_statuses


@dataclass
class Sent:
    """A request that would register a client, but for the faults planted in it."""

    path: str = "/clients/register"
    content_type: str = "text/plain"
    body: bytes | None = None
    params: dict[str, Any] = field(default_factory=lambda: registration("free@precedence.test"))

    def to(self, live: Live) -> str:
        """The status that `live` answers."""
        body = encoded(self.params) if self.body is None else self.body
        url = f"{live.origin}/api/v1{self.path}"
        answer = live.http.post(url, content=body, headers={"Content-Type": self.content_type})
        return str(answer.json()["status"])


Fault = Callable[[Sent], object]
FAULTS: dict[str, Fault] = {
    "route-non-existent": lambda sent: setattr(sent, "path", "/clients"),
    "invalid-content-type": lambda sent: setattr(sent, "content_type", "application/json"),
    "invalid-encoded-params": lambda sent: setattr(sent, "body", b"no base64"),
    "no-params-decoded": lambda sent: setattr(sent, "body", b""),
    "invalid-token": lambda sent: sent.params.update(token="nobody's"),
    "session-expired": lambda sent: sent.params.update(token="old-session"),
    "client-required": lambda sent: sent.params.update(token="roleless-session"),
    "missing-param": lambda sent: sent.params.pop("application"),
    "invalid-param": lambda sent: sent.params.update(enterprise="yes"),
    "email-already-registered": lambda sent: sent.params["client"].update(
        email="Client@Personas.test"
    ),
    "client-validation-failed": lambda sent: sent.params["client"].update(password="x" * 73),
}
# Of each of these groups a request can have one fault only.
EXCLUSIVE = (
    {"invalid-encoded-params", "no-params-decoded"},
    {"invalid-token", "session-expired", "client-required"},
)


def possible(slugs: tuple[str, ...]) -> bool:
    return all(len(group.intersection(slugs)) < 2 for group in EXCLUSIVE)


def planted(slugs: tuple[str, ...]) -> Sent:
    sent = Sent()
    for slug in slugs:
        FAULTS[slug](sent)
    return sent


def first(statuses: StatusTable, slugs: tuple[str, ...]) -> str:
    return next(row.slug for row in statuses.rows if row.slug in slugs)


def test_every_row_that_a_request_alone_can_cause_takes_part() -> None:
    by_request = (Stage.TRANSPORT, Stage.IDENTITY, Stage.PARAMS)
    rows = {row.slug for stage in by_request for row in load_statuses().in_stage(stage)}
    assert rows | {"route-non-existent"} == set(FAULTS)


@pytest.mark.parametrize("slug", FAULTS)
def test_one_fault_alone_gives_its_own_status(shared: Live, slug: str) -> None:
    assert planted((slug,)).to(shared) == slug


@pytest.mark.parametrize("slugs", [*filter(possible, combinations(FAULTS, 2))], ids="+".join)
def test_of_two_faults_the_one_whose_row_comes_first_is_told(
    shared: Live, slugs: tuple[str, ...]
) -> None:
    assert planted(slugs).to(shared) == first(load_statuses(), slugs)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(sorted(FAULTS)), unique=True, min_size=3).map(tuple).filter(possible)
)
def test_of_many_faults_the_one_whose_row_comes_first_is_told(
    shared: Live, slugs: tuple[str, ...]
) -> None:
    assert planted(slugs).to(shared) == first(load_statuses(), slugs)


@contextmanager
def reordered(kept: dict[str, Any], order: tuple[int, ...]) -> Iterator[Live]:
    """A server by a spec whose rows about parameters have another order."""
    document = copy.deepcopy(spec.load("openapi"))
    rows = document["x-statuses"]
    places = [at for at, row in enumerate(rows) if row.get("stage") == Stage.PARAMS]
    for place, row in zip(places, [rows[places[at]] for at in order], strict=True):
        rows[place] = row
    changed = altered(statuses=StatusTable.from_document(document))
    with Live(Settings(port=0, bcrypt_cost=4, **kept), changed) as live:
        yield live


@pytest.mark.parametrize("order", [*permutations(range(4))][1::5], ids=str)
def test_another_order_of_rows_in_the_spec_is_another_precedence(
    tmp_path: Path, keep: Keep, order: tuple[int, ...]
) -> None:
    about_params = tuple(row.slug for row in load_statuses().in_stage(Stage.PARAMS))
    with reordered(keep(tmp_path / "data.json"), order) as live:
        for slugs in combinations(about_params, 2):
            assert planted(slugs).to(live) == first(live.services.statuses, slugs)


@pytest.mark.parametrize(
    ("services", "slug"),
    [({}, "service-not-found"), ({"clients": frozenset({"other"})}, "route-not-found")],
)
def test_what_is_not_deployed_is_told_before_anything_about_the_body(
    start: Callable[..., Live], services: dict[str, frozenset[str]], slug: str
) -> None:
    live = start(
        alter=lambda parts: replace(parts, registry=replace(parts.registry, services=services))
    )
    assert planted(("invalid-content-type",)).to(live) == slug
    assert planted(("no-params-decoded",)).to(live) == slug
    assert planted(("route-non-existent",)).to(live) == "route-non-existent"
