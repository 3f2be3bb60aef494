"""Access to the control plane: for programs and pages of this machine, not for other pages."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.limits import LIMIT
from support.live import Live, LiveStub, encoded, registration

from clients_register.handlers.settings import Settings

FOREIGN = "https://evil.example"
FRIEND = "http://localhost:3000"
TOKEN = "t0ken-7f3a"

# The ways in which a page could ask for something that changes what the stub answers.
CHANGES = [("PUT", "/next"), ("PUT", "/clock"), ("DELETE", "/clients"), ("POST", "/reset")]

StubFactory = Callable[..., LiveStub]


@pytest.fixture(scope="module")
def start_stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubFactory]:
    """Starts stubs with the given settings; they run as long as the module."""
    with ExitStack() as stack:

        def started(**changes: Any) -> LiveStub:
            data = tmp_path_factory.mktemp("guard") / "data.json"
            settings = Settings(port=0, bcrypt_cost=4, data=data, **changes)
            return stack.enter_context(LiveStub(settings))

        yield started


@pytest.fixture(scope="module")
def open_stub(start_stub: StubFactory) -> LiveStub:
    """A stub that FRIEND may drive, under one more name."""
    return start_stub(control_origin=(FRIEND,), control_host=("Stub.Internal", "192.0.2.7"))


@pytest.fixture(scope="module")
def token_stub(start_stub: StubFactory) -> LiveStub:
    """A stub whose control plane needs a token."""
    return start_stub(control_token=TOKEN, control_origin=(FRIEND,))


def asked(stub: LiveStub, method: str, path: str, **headers: str) -> Any:
    """The answer to a request with `headers` (`_` for `-`) to the control plane."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return stub.http.request(method, stub.at(f"/_mock{path}"), headers=names, content=b"{}")


def refused(answer: Any, code: int, kind: str) -> bool:
    """Whether `answer` is that problem, and contains nothing that a page could read."""
    problem = answer.json()
    return (
        (answer.status_code, answer.headers["Mock-Error"], problem["status"]) == (code, kind, code)
        and answer.headers["Content-Type"] == "application/problem+json"
        and not any(name.startswith("access-control") for name in answer.headers)
        and bool(problem["detail"] and problem["hint"])
    )


@pytest.mark.parametrize(("method", "path"), [*CHANGES, ("GET", "/requests"), ("GET", "/")])
@pytest.mark.parametrize(
    "origin", [FOREIGN, "null", "http://localhost:1", "http://127.0.0.1", f"{FRIEND}0"]
)
def test_a_page_of_another_origin_may_do_nothing(
    open_stub: LiveStub, method: str, path: str, origin: str
) -> None:
    assert refused(asked(open_stub, method, path, Origin=origin), 403, "foreign-origin")


@pytest.mark.parametrize(("method", "path"), [*CHANGES, ("GET", "/requests")])
def test_a_page_of_another_site_that_hides_its_origin_may_do_nothing(
    open_stub: LiveStub, method: str, path: str
) -> None:
    answer = asked(open_stub, method, path, Sec_Fetch_Site="cross-site")
    assert refused(answer, 403, "foreign-origin")


def test_what_a_foreign_page_asked_for_is_not_done(stub: LiveStub) -> None:
    headers = {"Origin": FOREIGN}
    stub.http.put(stub.at("/_mock/next"), json=["application-crash"], headers=headers)
    assert stub.control("GET", "/next").json() == []


@pytest.mark.parametrize("site", ["same-origin", "same-site", "none"])
def test_the_console_and_a_person_at_the_address_bar_are_served(
    open_stub: LiveStub, site: str
) -> None:
    assert asked(open_stub, "GET", "/health", Sec_Fetch_Site=site).status_code == 200


def test_a_page_of_the_control_plane_itself_may_drive_it(open_stub: LiveStub) -> None:
    answer = asked(open_stub, "DELETE", "/next", Origin=open_stub.origin)
    assert answer.status_code == 200


def preflight(stub: LiveStub, origin: str) -> Any:
    return asked(
        stub,
        "OPTIONS",
        "/clock",
        Origin=origin,
        Access_Control_Request_Method="PUT",
        Access_Control_Request_Headers="authorization, content-type",
    )


def test_a_preflight_of_a_foreign_page_is_allowed_nothing(open_stub: LiveStub) -> None:
    assert refused(preflight(open_stub, FOREIGN), 403, "foreign-origin")


@pytest.mark.parametrize("which", [0, 1], ids=["open", "token"])
def test_a_preflight_of_an_allowed_page_is_allowed_all_there_is(
    open_stub: LiveStub, token_stub: LiveStub, which: int
) -> None:
    answer = preflight((open_stub, token_stub)[which], FRIEND)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
    methods = answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert {"GET", "PUT", "POST", "DELETE"} <= set(methods)
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type"} <= set(allowed)


@pytest.mark.parametrize("path", ["/clock", "/nothing"])
def test_an_allowed_page_can_read_answers_and_problems(open_stub: LiveStub, path: str) -> None:
    answer = asked(open_stub, "GET", path, Origin=FRIEND)
    assert answer.status_code == {"/clock": 200, "/nothing": 404}[path]
    assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
    assert "Mock-Error" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]


def test_an_allowed_page_may_drive_a_world(open_stub: LiveStub, world: str) -> None:
    url = open_stub.at("/_mock/clock", world)
    answer = open_stub.http.put(url, json={"advance": "P1D"}, headers={"Origin": FRIEND})
    assert answer.status_code == 200


LOOPBACK = ["localhost", "LOCALHOST", "foo.localhost", "127.0.0.1", "127.1.2.3", "[::1]"]


@pytest.mark.parametrize("port", ["", ":4018"])
@pytest.mark.parametrize("host", [*LOOPBACK, "stub.internal", "STUB.internal", "192.0.2.7"])
def test_every_name_of_this_machine_is_served(open_stub: LiveStub, host: str, port: str) -> None:
    assert asked(open_stub, "GET", "/health", Host=host + port).status_code == 200


@pytest.mark.parametrize("port", ["", ":4018"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "notlocalhost",
        "128.0.0.1",
        "0.0.0.0",
        "[::2]",
        "sub.stub.internal",
    ],
)
def test_a_name_that_leads_here_by_rebinding_is_refused(
    open_stub: LiveStub, host: str, port: str
) -> None:
    answer = asked(open_stub, "GET", "/health", Host=host + port, Origin=f"http://{host}{port}")
    assert refused(answer, 403, "foreign-host")
    assert f"--control-host {host.strip('[]')}" in answer.json()["hint"]


def test_the_route_is_served_under_any_name_and_to_any_page(
    open_stub: LiveStub, email: str
) -> None:
    answer = open_stub.http.post(
        open_stub.url,
        content=encoded(registration(email)),
        headers={"Content-Type": "text/plain", "Host": "evil.example", "Origin": FOREIGN},
    )
    assert answer.json()["status"] == "action-successful"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "given",
    ["", TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x", f"Bearer x{TOKEN}", "Bearer t"],
)
def test_without_the_token_nothing_is_told_or_done(token_stub: LiveStub, given: str) -> None:
    answer = asked(token_stub, "DELETE", "/clients", Authorization=given)
    assert refused(answer, 401, "token-needed")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert TOKEN not in answer.text


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_with_the_token_the_control_plane_answers(token_stub: LiveStub, scheme: str) -> None:
    answer = asked(token_stub, "GET", "/clock", Authorization=f"{scheme} {TOKEN}")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/console.js", "/console.css", "/icon.svg", "/docs/", "/control.yaml"]
)
def test_the_pages_need_no_token_since_browsers_send_none(token_stub: LiveStub, path: str) -> None:
    assert asked(token_stub, "GET", path).status_code == 200


def test_the_route_needs_no_token(token_stub: LiveStub, email: str) -> None:
    assert token_stub.registered(email) == "action-successful"


@pytest.mark.parametrize(
    "path", ["/_mock/health", "/_mock/", "/_mock/next", "/_world/a/_mock/health", "/_mock"]
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_reference_has_no_control_plane(start: Any, path: str, method: str) -> None:
    reference: Live = start(reference=True)
    answer = reference.http.request(method, reference.origin + path)
    assert (answer.status_code, answer.json()["status"]) == (500, "route-non-existent")
    assert "Mock-Error" not in answer.headers


def worlds_of(stub: LiveStub) -> list[str]:
    return [each["name"] for each in stub.control("GET", "/worlds").json()]


@pytest.mark.parametrize("host", ["[::1].evil.test", "127.0.0.1@evil.test", "a b"])
def test_a_host_that_only_begins_like_loopback_is_refused(open_stub: LiveStub, host: str) -> None:
    assert asked(open_stub, "GET", "/health", Host=host).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1%2eevil.test", "127.0.0.1%25evil.test"])
def test_a_host_with_an_escape_is_foreign(open_stub: LiveStub, host: str) -> None:
    assert refused(asked(open_stub, "GET", "/health", Host=host), 403, "foreign-host")


@pytest.mark.parametrize("host", ["[::1]", "[::1]:80", "localhost:1", "127.0.0.2", "STUB.internal"])
def test_a_host_of_this_machine_is_admitted(open_stub: LiveStub, host: str) -> None:
    assert asked(open_stub, "GET", "/health", Host=host).status_code == 200


def test_the_authority_of_a_url_in_the_request_line_counts(open_stub: LiveStub) -> None:
    host, _, port = open_stub.origin.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=LIMIT) as client:
        client.sendall(
            b"GET http://evil.test/_mock/health HTTP/1.1\r\nHost: localhost\r\n"
            b"Connection: close\r\n\r\n"
        )
        received = b"".join(iter(lambda: client.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 403 ")


# Name -> method, path in a world, and headers that a page of another site can make a browser send.
HARMLESS = {
    "an image of the route": ("GET", "/api/v1/clients/register", {}),
    "an image of another path": ("GET", "/", {}),
    "an image of the console": ("GET", "/_mock/", {}),
    "a control call": ("GET", "/_mock/clock", {}),
    "a form to the control plane": ("POST", "/_mock/reset", {"Origin": FOREIGN}),
    "a preflight": (
        "OPTIONS",
        "/api/v1/clients/register",
        {"Origin": FOREIGN, "Access-Control-Request-Method": "POST"},
    ),
    "rebinding": ("GET", "/_mock/clock", {"Host": "evil.test"}),
}


@pytest.mark.parametrize("mode", ["no-cors", "navigate"])
@pytest.mark.parametrize("name", HARMLESS)
def test_pages_of_other_sites_create_no_worlds(open_stub: LiveStub, name: str, mode: str) -> None:
    method, path, headers = HARMLESS[name]
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
    url = open_stub.at(path, "made-by-a-page")
    open_stub.http.request(method, url, headers=foreign | headers)
    assert "made-by-a-page" not in worlds_of(open_stub)


def test_a_call_without_the_token_creates_no_world(token_stub: LiveStub) -> None:
    assert token_stub.control("GET", "/clock", world="unseen").status_code == 401
    headers = {"Authorization": f"Bearer {TOKEN}"}
    shown = token_stub.http.get(token_stub.at("/_mock/worlds"), headers=headers).json()
    assert "unseen" not in [each["name"] for each in shown]


def test_a_request_of_another_kind_gets_its_response_without_a_world(open_stub: LiveStub) -> None:
    answer = open_stub.http.get(open_stub.route("unmade"))
    assert answer.json()["status"] == "route-non-existent"
    assert "unmade" not in worlds_of(open_stub)
