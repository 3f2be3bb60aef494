"""The request log of a world: what was sent and answered, and why."""

import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.limits import LIMIT
from support.live import PASSWORD, START, WAIT, LiveStub, encoded, registration

from clients_register.handlers.context import Request
from clients_register.handlers.decoding import Body
from clients_register.handlers.stub import traffic, worlds
from clients_register.handlers.stub.traffic import LogEntry, RequestLog


def entries(stub: LiveStub, world: str, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stub.control("GET", f"/requests{query}", world=world).json()
    return found


def entry(stub: LiveStub, world: str, params: object, **headers: str) -> dict[str, Any]:
    """The entry of sending `params`."""
    answer = stub.sent(params, world, headers)
    path = f"/requests/{answer.headers['X-Request-Id']}"
    found: dict[str, Any] = stub.control("GET", path, world=world).json()
    assert (found["code"], found["answer"]["status"]) == (
        answer.status_code,
        answer.json()["status"],
    )
    return found


def test_an_entry_tells_what_was_asked_and_answered(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    found = entry(shared_stub, world, registration(email, view="client_read"))
    assert (found["number"], found["method"]) == (1, "POST")
    assert found["path"] == "/api/v1/clients/register"
    assert (found["code"], found["status"]) == (200, "action-successful")
    assert (found["forced"], found["fault"]) == (None, None)
    assert found["params"]["client"]["email"] == email
    assert found["answer"]["data"]["email"] == email
    assert found["milliseconds"] > 0
    assert entries(shared_stub, world) == [found]


@pytest.mark.parametrize("place", ["/requests", "/requests/{id}"])
def test_no_secret_is_in_the_request_log(
    shared_stub: LiveStub, world: str, email: str, place: str
) -> None:
    sent = registration(email, token="liaison-session", Token="liaison-session")
    answer = shared_stub.sent(sent, world)
    path = place.format(id=answer.headers["X-Request-Id"])
    text = shared_stub.control("GET", path, world=world).text
    assert email in text
    assert "[hidden]" in text
    for secret in (PASSWORD, "liaison-session", answer.json()["session"]["token"], "$2b$"):
        assert secret not in text


def test_whether_a_password_was_passed_at_all_is_shown(shared_stub: LiveStub, world: str) -> None:
    found = entry(shared_stub, world, {"application": "x", "client": {"password": None}})
    assert found["params"]["client"]["password"] is None


def test_a_body_that_does_not_decode_has_no_params(shared_stub: LiveStub, world: str) -> None:
    url = shared_stub.route(world)
    shared_stub.http.post(url, content=b"%%%", headers={"Content-Type": "text/plain"})
    shared_stub.http.post(url, content=encoded([1]), headers={"Content-Type": "text/plain"})
    shared_stub.http.get(url)
    found = entries(shared_stub, world)
    assert [each["params"] for each in found] == [None, None, None]
    assert [each["status"] for each in found] == [
        "invalid-encoded-params",
        "no-params-decoded",
        "route-non-existent",
    ]


def test_the_explanation_of_a_success_is_that_all_rules_held(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    explained = entry(shared_stub, world, registration(email))["explanation"]
    assert explained["summary"] == "All rules passed."
    assert (explained["stopped"], explained["next"]) == (None, None)
    assert len(explained["passed"]) >= 10
    assert all(step["sentence"] and step["errors"] == [] for step in explained["passed"])


def test_the_explanation_tells_what_passed_what_stopped_and_what_would_come_next(
    shared_stub: LiveStub, world: str
) -> None:
    params = {"application": "planoauth", "client": {"email": "no address", "phone": 5}}
    explained = entry(shared_stub, world, params)["explanation"]
    passed = [step["status"] for step in explained["passed"]]
    assert {"invalid-content-type", "no-params-decoded", "missing-param"} <= set(passed)
    assert "invalid-param" not in passed or passed[-1] == "invalid-param"
    assert explained["stopped"]["status"] == "invalid-param"
    assert explained["stopped"]["errors"] == [
        {"attr": "client.email", "message": "malformed"},
        {"attr": "client.phone", "message": "wrong_type"},
    ]
    assert "client.email is malformed" in explained["summary"]
    assert explained["next"]["status"] == "client-validation-failed"
    assert {"attr": "client.password", "message": "missing"} in explained["next"]["errors"]


def test_nothing_is_next_where_nothing_else_is_wrong(shared_stub: LiveStub, world: str) -> None:
    explained = entry(shared_stub, world, registration("client@personas.test"))["explanation"]
    assert explained["stopped"]["status"] == "email-already-registered"
    assert explained["next"] is None


def test_asking_why_changes_nothing(stub: LiveStub, world: str, email: str) -> None:
    answer = stub.sent(registration("client@personas.test", token="client-session"), world)
    stub.control("PUT", "/clock", {"advance": "PT1H"}, world)
    before = stub.control("GET", "/sessions", world=world).json()
    for _ in range(2):
        stub.control("GET", f"/requests/{answer.headers['X-Request-Id']}", world=world)
    assert stub.control("GET", "/sessions", world=world).json() == before
    assert stub.registered(email, world) == "action-successful"


@pytest.mark.parametrize("how", ["prefer", "script", "address"])
def test_a_forced_answer_is_told_by_what_forced_it(
    shared_stub: LiveStub, world: str, how: str
) -> None:
    slug, headers, email = "session-expired", {}, "a@b.test"
    if how == "prefer":
        headers = {"Prefer": f"example={slug}"}
    elif how == "script":
        shared_stub.control("PUT", "/next", [slug], world)
    else:
        email = f"{slug}@status.test"
    found = entry(shared_stub, world, registration(email), **headers)
    assert (found["status"], found["forced"]) == (slug, how)
    assert found["params"]["application"] == "planoauth"
    assert "no rule was checked" in found["explanation"]["summary"]


def test_a_problem_of_the_stub_is_kept_without_a_status(shared_stub: LiveStub, world: str) -> None:
    shared_stub.sent({}, world, {"Prefer": "example=unheard-of"})
    (found,) = entries(shared_stub, world)
    assert (found["code"], found["status"]) == (400, None)
    assert "unheard-of" in found["answer"]["detail"]


def test_entries_are_found_by_status_and_by_number(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    for params in (registration(email), {}, registration(email), {}):
        shared_stub.sent(params, world)
    assert [each["number"] for each in entries(shared_stub, world)] == [1, 2, 3, 4]
    found = entries(shared_stub, world, "?status=no-params-decoded")
    assert [each["number"] for each in found] == [2, 4]
    found = entries(shared_stub, world, "?status=no-params-decoded&after=2")
    assert [each["number"] for each in found] == [4]
    assert entries(shared_stub, world, "?after=4") == []


def test_who_waits_is_answered_as_soon_as_the_request_comes(
    shared_stub: LiveStub, world: str, email: str, waits: threading.Semaphore
) -> None:
    shared_stub.registered(email, world)
    found: list[Any] = []
    query = f"?after=1&status=email-already-registered&wait={WAIT}"
    waiting = threading.Thread(target=lambda: found.append(entries(shared_stub, world, query)))
    waiting.start()
    assert waits.acquire(timeout=LIMIT)
    shared_stub.sent({}, world)
    shared_stub.registered(email, world)
    waiting.join(timeout=LIMIT)
    assert not waiting.is_alive()
    assert [each["number"] for each in found[0]] == [3]


def test_a_wait_for_nothing_ends(shared_stub: LiveStub, world: str) -> None:
    assert entries(shared_stub, world, "?wait=0.05") == []


def test_an_emptied_request_log_is_empty_and_its_numbers_go_on(
    shared_stub: LiveStub, world: str
) -> None:
    shared_stub.sent({}, world)
    assert shared_stub.control("DELETE", "/requests", world=world).status_code == 204
    assert entries(shared_stub, world) == []
    shared_stub.sent({}, world)
    assert [each["number"] for each in entries(shared_stub, world)] == [2]


def test_the_request_log_keeps_the_newest_and_no_more_than_it_may(
    shared_stub: LiveStub, world: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "MAX_ENTRIES", 3)
    for _ in range(5):
        shared_stub.sent({}, world)
    assert [each["number"] for each in entries(shared_stub, world)] == [3, 4, 5]


def test_what_the_control_plane_is_asked_is_in_no_request_log(
    shared_stub: LiveStub, world: str
) -> None:
    shared_stub.control("GET", "/health", world=world)
    shared_stub.control("GET", "/unheard-of", world=world)
    assert entries(shared_stub, world) == []


def test_pages_of_the_request_log_follow_each_other(shared_stub: LiveStub, world: str) -> None:
    for _ in range(5):
        shared_stub.sent({}, world)
    pages, after = [], 0
    while page := shared_stub.control(
        "GET", f"/requests?limit=2&after={after}", world=world
    ).json():
        pages.append([each["number"] for each in page])
        after = page[-1]["number"]
    assert pages == [[1, 2], [3, 4], [5]]


def test_an_empty_request_log_is_an_empty_array(shared_stub: LiveStub, world: str) -> None:
    shared_stub.control("GET", "/health", world=world)
    assert shared_stub.control("GET", "/requests", world=world).content == b"[]"


def test_a_request_log_is_bounded_in_bytes(
    shared_stub: LiveStub, world: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The body of the third registration takes the place of the first two.
    monkeypatch.setattr(worlds, "MAX_BYTES", 60_000)
    monkeypatch.setattr(traffic, "MAX_BYTES", 60_000)
    for name in ("a" * 10, "b" * 30_000, "c" * 30_000):
        shared_stub.sent(registration("a@b.test", client={"first_name": name}), world)
    (entry,) = entries(shared_stub, world)
    assert entry["params"]["client"]["first_name"] == "c" * 30_000


def test_the_logs_of_all_worlds_share_a_bound() -> None:
    def entry() -> LogEntry:
        request = Request("1", "text/plain", "", b"a" * 60_000)
        return LogEntry("1", START, "POST", "/", request=request)

    log = RequestLog()
    for _ in range(100):
        log.add(entry())
    assert len([*log]) == 100
    log.limit(10 * next(iter(log)).size)
    assert [each.number for each in log] == [*range(91, 101)]
    log.add(entry())
    assert [each.number for each in log] == [*range(92, 102)]


def test_nothing_decoded_stays_in_memory_once_a_request_is_logged(
    shared_stub: LiveStub, world: str
) -> None:
    shared_stub.sent(registration("a@b.test"), world)
    (entry,) = shared_stub.app.worlds.find(world).state.request_log
    entries(shared_stub, world)
    assert not any(isinstance(each, Body) for each in gc.get_referents(entry.request))
    assert {"body", "params", "email"} & vars(entry.context).keys() == set()


@pytest.mark.parametrize(
    ("changes", "ignored"),
    [
        ({}, []),
        ({"client": {"fist_name": "Ada"}}, ["client.fist_name"]),
        (
            {"Application": "x", "client": {"email": None, "Email": "x"}},
            ["Application", "client.Email"],
        ),
    ],
)
def test_an_explanation_lists_parameters_that_the_contract_does_not_have(
    shared_stub: LiveStub, world: str, changes: dict[str, Any], ignored: list[str]
) -> None:
    explanation = entry(shared_stub, world, registration("a@b.test", **changes))["explanation"]
    assert explanation["ignored"] == ignored
    assert all(name in explanation["summary"] for name in ignored)


ENDS = "The base URL has to end in /api/v1."


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("POST", "/clients/register", ENDS),
        ("POST", "/api/v2/clients/register", ENDS),
        (
            "POST",
            "/api/v1/api/v1/clients/register",
            "The program appends /api/v1 to a base URL that already ends in it.",
        ),
        ("GET", "/clients/register", ENDS),
        ("POST", "/api/v1/clients/regster", None),
        ("GET", "/api/v1/clients/register", None),
    ],
)
def test_a_request_that_misses_the_route_is_told_where_it_is(
    stub: LiveStub, method: str, path: str, told: str | None
) -> None:
    stub.http.request(method, stub.at(path))
    (found,) = stub.control("GET", "/requests").json()
    expected = f" Expected POST /api/v1/clients/register, found {method} {path}."
    summary = found["explanation"]["summary"]
    assert summary.endswith(f"{expected} {told}" if told else expected)


def test_without_a_base_path_the_base_url_has_to_have_no_path(
    start_stub: Callable[..., LiveStub],
) -> None:
    stub = start_stub(base_path="")
    stub.http.post(stub.at("/api/v1/clients/register"))
    (found,) = stub.control("GET", "/requests").json()
    assert found["explanation"]["summary"].endswith("The base URL has to have no path.")
