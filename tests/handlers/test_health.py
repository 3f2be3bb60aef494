"""The health check of a server, and `clients-register health`, which asks for it."""

import asyncio
import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.types import Message
from support.command import Done, call, needs_ipv6, reserved_port
from support.limits import LIMIT
from support.live import Live, LiveStub
from support.postgres import Server, stopped_database

from clients_register.handlers import health, health_check
from clients_register.handlers.settings import Settings

READY = {"ready": True}

StartStub = Callable[..., LiveStub]


@pytest.fixture
def open_stub(start_stub: StartStub) -> LiveStub:
    """A stub that other machines may reach."""
    return start_stub(host="0.0.0.0", control_token="t0ken-7f3a")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No verdict depends on how fast this machine is."""
    monkeypatch.setattr(health, "ATTEMPT_TIMEOUT", LIMIT)
    # As outside of tests, longer than the database may take.
    monkeypatch.setattr(health_check, "TIMEOUT", 2 * LIMIT)


def asked(live: Live, method: str = "GET", **headers: str) -> Any:
    return live.http.request(method, f"{live.origin}/_health", headers=headers)


# The response


def test_a_reference_that_can_use_its_data_is_ready(start: Any) -> None:
    reference = start(reference=True)
    answer = asked(reference)
    assert (answer.status_code, answer.json()) == (200, READY)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3:4018", "stub.internal"])
def test_a_stub_is_ready_whatever_the_host_and_without_a_token(
    open_stub: LiveStub, host: str
) -> None:
    answer = asked(open_stub, Host=host)
    assert (answer.status_code, answer.json()) == (200, READY)


def test_no_page_may_read_the_health_of_a_stub(open_stub: LiveStub) -> None:
    answer = asked(open_stub, Origin="http://localhost:3000")
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_head_gets_the_headers_alone(shared: Live) -> None:
    answer = asked(shared, "HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(json.dumps(READY)))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_another_method_gets_the_response_of_the_contract(
    shared: Live, shared_stub: LiveStub, method: str
) -> None:
    for live in (shared, shared_stub):
        answer = asked(live, method)
        assert (answer.status_code, answer.json()["status"]) == (500, "route-non-existent")


@pytest.mark.parametrize(
    "path", ["/_health/", "/_health/x", "/_healthy", "/api/v1/_health", "/_world/a/_health"]
)
def test_another_path_gets_the_response_of_the_contract(
    shared: Live, shared_stub: LiveStub, path: str
) -> None:
    for live in (shared, shared_stub):
        answer = live.http.get(live.origin + path)
        assert (answer.status_code, answer.json()["status"]) == (500, "route-non-existent")


def test_a_base_path_of_that_name_takes_nothing_away(start: Any, email: str) -> None:
    live = start(reference=True, base_path="/_health")
    assert live.register(email)["code"] == 200
    assert asked(live).json() == READY


def test_the_faults_and_the_log_of_a_stub_are_those_of_the_api(stub: LiveStub) -> None:
    stub.control("PUT", "/faults", {"crash": "before-routing"})
    assert asked(stub).status_code == 200
    assert stub.control("GET", "/requests").json() == []


def unusable(answer: Any, secret: str) -> None:
    """Checks a response that says no more than that the data cannot be used."""
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "the data cannot be used; the log of the server says why",
    }
    assert secret not in answer.text


@pytest.mark.files
@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a file that is open")
@pytest.mark.parametrize("reference", [True, False])
def test_a_server_whose_data_file_is_gone_is_not_ready(
    start: Any,
    start_stub: StartStub,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    reference: bool,
) -> None:
    data = tmp_path / "gone.json"
    live = start(reference=True, data=data) if reference else start_stub(data=data)
    data.unlink()
    for _ in range(2):
        unusable(asked(live), str(data))
    (line,) = caplog.messages
    assert line.startswith(f"health check: the data file {data} cannot be used: another program")
    ended = call("health", live.origin)
    assert ended == not_ready(live.origin, "503, since its data cannot be used; look into its log")


def test_a_reference_is_not_ready_while_its_database_is_down(
    mortal: Server, caplog: pytest.LogCaptureFixture
) -> None:
    name = mortal.made()
    settings = Settings(store=mortal.at(name), port=0, bcrypt_cost=4, reference=True)
    with Live(settings) as reference:
        assert asked(reference).status_code == 200
        with stopped_database(mortal):
            unusable(asked(reference), str(mortal.port))
        assert asked(reference).status_code == 200
    (line,) = caplog.messages
    assert line.startswith(
        f"health check: the database postgresql://127.0.0.1:{mortal.port}/{name}"
    )


def test_a_store_that_hangs_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = mock.Mock(check_available=asyncio.Event().wait)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    monkeypatch.setattr(health_check, "TIMEOUT", 0)
    asyncio.run(health_check.respond_to_health_check(store, send))
    assert sent[0]["status"] == 503
    assert caplog.messages == ["health check: the data could not be used within 0 seconds"]


def test_a_reference_is_not_ready_without_its_tables(
    mortal: Server, caplog: pytest.LogCaptureFixture
) -> None:
    name = mortal.made()
    settings = Settings(store=mortal.at(name), port=0, bcrypt_cost=4, reference=True)
    with Live(settings) as reference:
        mortal.told(name, "DROP SCHEMA clients_register CASCADE")
        unusable(asked(reference), "clients_register")
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "the health check crashed")


# The command


def ready(origin: str) -> Done:
    return Done(0, f"{origin} is ready\n", "")


def not_ready(origin: str, found: str) -> Done:
    said = f"clients-register health: {origin}/_health: expected a ready server, found {found}\n"
    return Done(1, "", said)


@pytest.mark.parametrize("path", ["", "/", "/api/v1", "/api/v1/clients/register"])
def test_the_command_takes_an_origin_or_a_base_url(shared: Live, path: str) -> None:
    assert call("health", shared.origin + path) == ready(shared.origin)


def test_the_command_finds_a_stub_ready(open_stub: LiveStub) -> None:
    assert call("health", open_stub.origin) == ready(open_stub.origin)


def test_the_command_takes_an_ipv6_address(start: Any) -> None:
    needs_ipv6()
    live = start(host="::1")
    origin = f"http://[::1]:{live.origin.rpartition(':')[2]}"
    assert call("health", origin) == ready(origin)


def test_the_command_asks_the_default_address_of_serve() -> None:
    assert "(default: http://127.0.0.1:4018," in call("health", "--help").stdout


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({"PORT": "8080"}, "http://127.0.0.1:8080"),
        ({"HOST": "0.0.0.0"}, "http://127.0.0.1:4018"),
        ({"HOST": "::", "PORT": ""}, "http://[::1]:4018"),
        ({"HOST": "stub.internal"}, "http://stub.internal:4018"),
    ],
    ids=str,
)
def test_it_asks_where_a_server_with_the_same_variables_listens(
    variables: dict[str, str], url: str
) -> None:
    environ = {f"CLIENTS_REGISTER_{name}": value for name, value in variables.items()}
    assert health.default_url(environ) == url


def test_where_nothing_listens_is_one_line_and_exit_1() -> None:
    with reserved_port() as port:
        origin = f"http://127.0.0.1:{port}"
        assert call("health", origin) == not_ready(
            origin,
            "Connection refused; start one with clients-register serve, or correct the URL",
        )


def test_a_name_that_is_of_no_machine_is_one_line_and_exit_1() -> None:
    ended = call("health", "http://no-such-machine.invalid")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert "or correct the URL" in ended.stderr


@contextmanager
def another_server(respond: Callable[[BaseHTTPRequestHandler], object]) -> Iterator[str]:
    """The origin of a server that is not ours."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            respond(self)

        def log_message(self, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(LIMIT)


def respond_with(code: int, body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.end_headers()
        handler.wfile.write(body)

    return respond


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"ready": false}'),
        (200, b"\xff"),
        (200, b"[" * 1000),
        (503, b"<html>"),
        (404, b'{"ready": true}'),
        (302, b""),
    ],
)
def test_another_server_is_one_line_and_exit_1(code: int, body: bytes) -> None:
    with another_server(respond_with(code, body)) as origin:
        assert call("health", origin) == not_ready(
            origin, f"{code} from another server; correct the URL"
        )


def test_a_server_that_does_not_speak_http_is_one_line_and_exit_1() -> None:
    with another_server(lambda handler: handler.wfile.write(b"220 mail\r\n")) as origin:
        assert call("health", origin) == not_ready(
            origin, "one that does not speak HTTP; correct the URL"
        )


def test_a_server_that_hangs_is_one_line_and_exit_1(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    monkeypatch.setattr(health, "ATTEMPT_TIMEOUT", 0.01)
    with another_server(lambda _: done.wait(LIMIT)) as origin:
        ended = call("health", origin)
        done.set()
    assert ended == not_ready(origin, "none that responds within 0.01 seconds; look into its log")


def test_waiting_ends_when_the_server_is_ready(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with reserved_port() as port, ExitStack() as stack:
        settings = Settings(port=port, data=tmp_path / "data.json")
        pauses: list[float] = []

        def start_server(seconds: float) -> None:
            pauses.append(seconds)
            stack.enter_context(Live(settings))

        monkeypatch.setattr(health, "sleep", start_server)
        origin = f"http://127.0.0.1:{port}"
        assert call("health", origin, "--wait", str(int(LIMIT))) == ready(origin)
    assert len(pauses) == 1


def test_waiting_ends_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    pauses: list[float] = []

    def pass_time(seconds: float) -> None:
        nonlocal now
        now += seconds
        pauses.append(seconds)

    monkeypatch.setattr(health, "sleep", pass_time)
    monkeypatch.setattr(health, "monotonic", lambda: now)
    with reserved_port() as port:
        ended = call("health", f"http://127.0.0.1:{port}", "--wait", "1")
    assert ended.returncode == 1
    assert 1 <= sum(pauses) < 1 + health.PAUSE


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["127.0.0.1:4018"], "argument URL: expected an https:// or http:// URL .*, found '127"),
        (["ftp://x.test"], "argument URL: expected an https:// or http:// URL .*, found 'ftp:"),
        (["--wait", "soon"], "argument --wait: expected a number of seconds .*, found 'soon'"),
        (["--wait", "0"], "argument --wait: expected a number of seconds .*, found '0'"),
        (["--wait"], "argument --wait: expected one argument"),
        (["http://a.test", "http://b.test"], "unrecognized arguments: http://b.test"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_exit_2(argv: list[str], told: str) -> None:
    ended = call("health", *argv)
    assert (ended.returncode, ended.stdout) == (2, "")
    *_, line = ended.stderr.splitlines()
    assert re.fullmatch(rf"clients-register health: error: {told}.*", line)
