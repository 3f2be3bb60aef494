"""Pages of any origin may call the route of a stub, and those of named ones with credentials."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.live import Live, LiveStub

from clients_register.handlers.settings import Settings

ORIGIN = "http://localhost:3000"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "prefer, content-type",
}


def test_a_preflight_is_an_empty_204_that_allows_what_was_asked(
    shared_stub: LiveStub, world: str
) -> None:
    answer = shared_stub.http.options(shared_stub.route(world), headers=PREFLIGHT)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    assert answer.headers["Access-Control-Allow-Headers"] == "prefer, content-type"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_preflight_comes_before_every_rule_and_is_no_request(
    shared_stub: LiveStub, world: str
) -> None:
    shared_stub.control("PUT", "/faults", {"crash": "before-routing"}, world)
    answer = shared_stub.http.options(shared_stub.route(world), headers=PREFLIGHT)
    assert answer.status_code == 204
    assert shared_stub.control("GET", "/requests", world=world).json() == []


@pytest.mark.parametrize("headers", [{}, {"Origin": ORIGIN}])
def test_other_options_requests_are_no_preflight(
    shared_stub: LiveStub, world: str, headers: dict[str, str]
) -> None:
    answer = shared_stub.http.options(shared_stub.route(world), headers=headers)
    assert answer.json()["status"] == "route-non-existent"


def test_a_preflight_of_another_path_is_no_route(shared_stub: LiveStub, world: str) -> None:
    answer = shared_stub.http.options(shared_stub.at("/nowhere", world), headers=PREFLIGHT)
    assert answer.json()["status"] == "route-non-existent"


@pytest.mark.parametrize(
    "headers",
    [{}, {"Prefer": "example=invalid-token"}, {"Prefer": "example=nonsense"}],
    ids=["earned", "forced", "a problem"],
)
def test_a_page_may_read_every_answer_and_the_headers_that_matter(
    shared_stub: LiveStub, world: str, headers: dict[str, str]
) -> None:
    answer = shared_stub.sent({}, world, headers | {"Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert exposed == ["X-Request-Id", "Mock-Forced", "Mock-Error", "Preference-Applied"]


def test_a_reference_server_has_none_of_it(start: Callable[..., Live]) -> None:
    live = start(reference=True)
    answers: list[Any] = [
        live.http.options(live.url, headers=PREFLIGHT),
        live.send(b"", Origin=ORIGIN),
    ]
    for answer in answers:
        assert answer.json()["code"] >= 400
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.fixture(scope="module")
def credentialed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStub]:
    """A stub whose route the pages of ORIGIN may call with credentials."""
    data = tmp_path_factory.mktemp("cors") / "data.json"
    with LiveStub(Settings(port=0, bcrypt_cost=4, data=data, cors_origin=(ORIGIN,))) as stub:
        yield stub


@pytest.mark.parametrize("headers", [{}, {"Prefer": "code=500"}, {"Prefer": "wait=x"}, PREFLIGHT])
def test_named_origins_may_send_credentials(
    credentialed: LiveStub, headers: dict[str, str]
) -> None:
    method = "OPTIONS" if headers is PREFLIGHT else "POST"
    answer = credentialed.http.request(
        method, credentialed.route(), headers={"Origin": ORIGIN} | headers
    )
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://other.test"}, {"Origin": "null"}])
def test_other_origins_may_not_send_credentials(
    credentialed: LiveStub, headers: dict[str, str]
) -> None:
    answer = credentialed.sent({}, headers=headers)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    # A cache must not give the response for one origin to another.
    assert answer.headers["Vary"] == "Origin"
