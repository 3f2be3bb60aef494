"""With `--passthrough`, registrations are forwarded as well, unless a status is forced."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.backend import Backend, Exchange
from support.live import PASSWORD, LiveStub, encoded, registration

from clients_register.handlers.settings import Settings
from clients_register.handlers.stub import forwarding

TOKEN = "token of the backend"
PAGE = "https://app.example.com"
ENVELOPE = {
    "code": 200,
    "status": "action-successful",
    "data": {"id": 7},
    "session": {"token": TOKEN},
}


def register(exchange: Exchange) -> None:
    """Responds as another implementation of the route could."""
    for length in exchange.values("content-length"):
        exchange.read(int(length))
    if exchange.values("transfer-encoding"):
        exchange.read_until(b"0\r\n\r\n")
    body = json.dumps(ENVELOPE, indent=1).encode()
    origin = "Access-Control-Allow-Origin: https://app.example.com"
    exchange.respond(body, "Content-Type: application/json", "X-Request-Id: theirs", origin)


@pytest.fixture
def backend(backend: Backend) -> Backend:
    """The shared backend, which implements the route."""
    backend.answer = register
    return backend


@pytest.fixture(scope="module")
def open_stub(
    tmp_path_factory: pytest.TempPathFactory, shared_backend: Backend
) -> Iterator[LiveStub]:
    data = tmp_path_factory.mktemp("passthrough") / "data.json"
    settings = Settings(
        port=0, bcrypt_cost=4, data=data, upstream=shared_backend.url, passthrough=True
    )
    with LiveStub(settings) as stub:
        yield stub


def latest(stub: LiveStub, world: str) -> dict[str, Any]:
    entry: dict[str, Any] = stub.control("GET", "/requests", world=world).json()[-1]
    return entry


def test_a_registration_is_forwarded_and_its_response_passed_on(
    open_stub: LiveStub, backend: Backend, world: str, email: str
) -> None:
    params = registration(email)
    response = open_stub.sent(params, world, {"Prefer": "wait=0"})
    assert response.content == json.dumps(ENVELOPE, indent=1).encode()
    assert backend.last.line == "POST /api/v1/clients/register HTTP/1.1"
    assert backend.last.values("content-length") == [str(len(encoded(params)))]
    assert response.headers["X-Request-Id"] == "theirs"
    assert response.headers["Preference-Applied"] == "wait=0"
    assert response.headers.get_list("Access-Control-Allow-Origin") == [PAGE]
    assert "Mock-Forced" not in response.headers
    assert open_stub.control("GET", "/outbox", world=world).json() == []


def test_a_response_that_cannot_be_shown_is_passed_on(
    open_stub: LiveStub, backend: Backend, world: str, email: str
) -> None:
    content = b'{"code": 200, "status": "\\ud800"}'

    def respond(exchange: Exchange) -> None:
        exchange.read(int(exchange.values("content-length")[0]))
        exchange.respond(content)

    backend.answer = respond
    assert open_stub.sent(registration(email), world).content == content
    for query in ("", "?format=har"):
        log = open_stub.control("GET", f"/requests{query}", world=world)
        assert (log.status_code, "ud800" in log.text) == (200, False)


def test_a_registration_reaches_the_backend_only_by_a_name_of_this_machine(
    open_stub: LiveStub, backend: Backend, world: str, email: str
) -> None:
    response = open_stub.sent(registration(email), world, {"Host": "evil.example"})
    assert (response.status_code, response.headers["Mock-Error"]) == (403, "foreign-host")
    assert backend.exchanges == []


def test_a_named_page_may_read_the_response_to_a_registration(
    start_stub: Callable[..., LiveStub], backend: Backend, email: str
) -> None:
    page = "http://localhost:3000"
    stub = start_stub(upstream=backend.url, passthrough=True, cors_origin=(page,))
    response = stub.sent(registration(email), headers={"Origin": page})
    assert response.headers.get_list("Access-Control-Allow-Origin") == [page]
    assert response.headers["Access-Control-Allow-Credentials"] == "true"


def test_the_response_to_a_registration_is_never_compressed(
    open_stub: LiveStub, backend: Backend, world: str, email: str
) -> None:
    open_stub.sent(registration(email), world, {"Accept-Encoding": "gzip"})
    assert backend.last.values("accept-encoding") == []
    assert latest(open_stub, world)["status"] == "action-successful"


def test_a_registration_in_chunks_is_forwarded(
    open_stub: LiveStub, backend: Backend, world: str
) -> None:
    response = open_stub.http.post(open_stub.route(world), content=iter([b"e3", b"0="]))
    assert response.json() == ENVELOPE
    assert backend.last.values("transfer-encoding") == ["chunked"]


def test_other_methods_of_the_route_are_forwarded(
    open_stub: LiveStub, backend: Backend, world: str
) -> None:
    assert open_stub.http.get(open_stub.route(world)).json() == ENVELOPE
    assert backend.last.line == "GET /api/v1/clients/register HTTP/1.1"


def by_header(stub: LiveStub, world: str, email: str) -> Any:
    return stub.sent(registration(email), world, {"Prefer": "example=session-expired"})


def by_script(stub: LiveStub, world: str, email: str) -> Any:
    stub.control("PUT", "/next", ["session-expired"], world)
    return stub.sent(registration(email), world)


def by_address(stub: LiveStub, world: str, email: str) -> Any:
    return stub.sent(registration("session-expired@status.test"), world)


@pytest.mark.parametrize("force", [by_header, by_script, by_address])
def test_a_forced_status_comes_from_the_stub(
    open_stub: LiveStub,
    backend: Backend,
    world: str,
    email: str,
    force: Callable[[LiveStub, str, str], Any],
) -> None:
    assert force(open_stub, world, email).json()["status"] == "session-expired"
    assert backend.exchanges == []
    assert open_stub.registered(email, world) == "action-successful"
    assert len(backend.exchanges) == 1


FAULTS: dict[str, dict[str, Any]] = {
    "application-crash": {"crash": "in-handler"},
    "mandrill-email-failed": {"mail_failures": 1},
    "service-not-found": {"service_deployed": False},
}


@pytest.mark.parametrize("status", FAULTS)
def test_a_fault_is_simulated_by_the_stub(
    open_stub: LiveStub, backend: Backend, world: str, email: str, status: str
) -> None:
    open_stub.control("PUT", "/faults", FAULTS[status], world)
    assert open_stub.registered(email, world) == status
    assert backend.exchanges == []
    open_stub.control("DELETE", "/faults", world=world)
    assert open_stub.registered(email, world) == "action-successful"
    assert len(backend.exchanges) == 1


def test_a_script_can_break_the_connection_after_a_forwarded_registration(
    open_stub: LiveStub, backend: Backend, world: str, email: str
) -> None:
    open_stub.control("PUT", "/next", [{"fault": "malformed"}], world)
    response = open_stub.sent(registration(email), world)
    assert response.content == json.dumps(ENVELOPE, indent=1).encode()[:-1]
    assert len(backend.exchanges) == 1


def test_a_body_beyond_the_limit_is_answered_by_the_rules(
    open_stub: LiveStub, backend: Backend, world: str
) -> None:
    response = open_stub.http.post(open_stub.route(world), content=b"e" * 70_000)
    assert response.json()["status"] == "invalid-content-type"
    assert backend.exchanges == []


@pytest.mark.usefixtures("backend")
def test_the_log_shows_a_forwarded_registration_without_its_secrets(
    open_stub: LiveStub, world: str, email: str
) -> None:
    open_stub.sent(registration(email), world)
    entry = latest(open_stub, world)
    assert (entry["id"], entry["code"], entry["status"]) == ("theirs", 200, "action-successful")
    assert entry["forwarded_to"].endswith("/api/v1/clients/register")
    assert entry["params"]["client"] == {"email": email, "password": "[hidden]"}
    assert entry["answer"]["session"] == {"token": "[hidden]"}
    assert PASSWORD not in json.dumps(entry)
    assert TOKEN not in json.dumps(entry)
    found = open_stub.control("GET", "/coverage", world=world).json()
    counts = {each["slug"]: each["natural"] for each in found["statuses"]}
    assert counts["action-successful"] == 1


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"<html>", {}),
        (b"", {}),
        (b'["list"]', {}),
        (b'{"status": "other"}', {"status": "other"}),
        (b'{"status": ["list"]}', {"status": ["list"]}),
        (b"[" * 100_000, {}),
    ],
    ids=["a page", "nothing", "a list", "an unknown status", "no status", "deep"],
)
def test_a_response_that_is_no_envelope_is_passed_on(
    open_stub: LiveStub, backend: Backend, world: str, body: bytes, answer: dict[str, Any]
) -> None:
    backend.answer = lambda exchange: exchange.respond(body, status="502 Bad Gateway")
    response = open_stub.http.post(open_stub.route(world))
    assert (response.status_code, response.content) == (502, body)
    entry = latest(open_stub, world)
    assert (entry["code"], entry["status"], entry["answer"]) == (502, None, answer)


@pytest.mark.parametrize("framing", ["Content-Length: 99", "Transfer-Encoding: chunked"])
def test_half_a_response_is_a_bad_gateway(
    open_stub: LiveStub, backend: Backend, world: str, framing: str
) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n5\r\nfirst\r\n".encode())
        exchange.connection.close()

    backend.answer = answer
    response = open_stub.http.post(open_stub.route(world))
    assert (response.status_code, response.headers["Mock-Error"]) == (502, "upstream-failed")
    assert "that it broke off after" in response.json()["detail"]
    assert latest(open_stub, world)["id"] == response.headers["X-Request-Id"]


def test_a_response_beyond_the_limit_is_a_bad_gateway(
    open_stub: LiveStub, backend: Backend, world: str
) -> None:
    backend.answer = lambda exchange: exchange.respond(b"a" * (forwarding.MAX_RESPONSE + 1))
    response = open_stub.http.post(open_stub.route(world))
    assert (response.status_code, response.headers["Mock-Error"]) == (502, "upstream-failed")
    assert response.json()["detail"].endswith(
        f"at most {forwarding.MAX_RESPONSE} bytes, found more"
    )
