"""The log of a server: a line per request, and all of it as JSON."""

import asyncio
import json
import logging
import os
import pty
import re
import select
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from starlette.types import Message, Receive, Scope, Send
from support.backend import Backend
from support.command import Process, run, serving, started
from support.limits import LIMIT
from support.live import encoded, registration

from clients_register.handlers.access_log import AccessLog, log_refusal
from clients_register.handlers.http.connection import CONNECTION
from clients_register.handlers.http.parser import Refusal
from clients_register.handlers.log_output import FIELDS, JSONFormatter, access

MODES = pytest.mark.parametrize("mode", [[], ["--reference", "--bcrypt-cost=4"]], ids=str)

LINE = re.compile(r"[\d-]+ [\d:,]+ INFO (.*) [\d.]+ ms\n")

SECRET = "correct horse battery staple"


def register(process: Process, email: str = "ada@x.test", **headers: str) -> httpx2.Response:
    params = registration(email, client={"password": SECRET})
    return httpx2.post(
        process.url,
        content=encoded(params),
        headers={"Content-Type": "text/plain", **headers},
        timeout=LIMIT,
    )


def logged(process: Process, request: Callable[[], object]) -> str:
    """Returns the line of `request`, without its times."""
    request()
    line = process.read_log_line()
    found = LINE.fullmatch(line)
    assert found is not None, line
    return found[1]


@MODES
def test_each_request_has_a_line_with_its_status(mode: list[str]) -> None:
    with serving("--memory", "--access-log", *mode) as process:
        lines = [logged(process, lambda: register(process)) for _ in range(2)]
        lines.append(logged(process, lambda: httpx2.get(process.url, timeout=LIMIT)))
    assert lines == [
        "127.0.0.1 POST /api/v1/clients/register 200 action-successful",
        "127.0.0.1 POST /api/v1/clients/register 400 email-already-registered",
        "127.0.0.1 GET /api/v1/clients/register 500 route-non-existent",
    ]


def test_the_line_of_a_forced_response_says_what_forced_it() -> None:
    with serving("--memory", "--access-log") as process:
        line = logged(process, lambda: register(process, Prefer="example=session-expired"))
    assert line == "127.0.0.1 POST /api/v1/clients/register 401 session-expired forced by prefer"


@pytest.mark.parametrize("base", ["", "/api", "/api/v1/api/v1", "/_world/a"])
def test_the_line_of_a_request_below_a_wrong_base_says_where_the_route_is(base: str) -> None:
    with serving("--memory", "--access-log") as process:
        url = process.url.replace("/api/v1/", f"{base}/")
        line = logged(process, lambda: httpx2.post(url, timeout=LIMIT))
    found = f"127.0.0.1 POST {base}/clients/register 500 route-non-existent"
    world = base if base == "/_world/a" else ""
    assert line == f"{found} expected {world}/api/v1/clients/register"


def test_the_line_of_a_forwarded_request_says_where_the_response_came_from() -> None:
    with Backend() as backend:
        with serving("--memory", "--access-log", "--upstream", backend.url) as process:
            url = process.url.replace("/api/v1/clients/register", "/projects?token=s3cret")
            line = logged(process, lambda: httpx2.get(url, timeout=LIMIT))
        assert line == f"127.0.0.1 GET /projects 200 OK from {backend.url}/projects"


@pytest.mark.parametrize(
    "path", ["/_health", "/_mock", "/_mock/clients", "/_world/one/_mock/clients"]
)
def test_probes_and_control_have_no_line(path: str) -> None:
    with serving("--memory", "--access-log") as process:
        httpx2.get(process.url.replace("/api/v1/clients/register", path), timeout=LIMIT)
        assert "clients/register 200" in logged(process, lambda: register(process))


def test_no_line_has_a_query_or_a_secret() -> None:
    with serving("--memory", "--access-log") as process:
        register(process, Authorization=f"Bearer {SECRET}", Cookie=SECRET)
        httpx2.get(f"{process.url}?token={SECRET}", timeout=LIMIT)
        process.end_input()
        err = process.ended().err
    assert err.count("\n") == 2
    assert "correct" not in err


def test_the_line_of_a_simulated_fault_says_so() -> None:
    with serving("--memory", "--access-log") as process:
        script = [{"fault": "reset"}]
        origin = process.url.replace("/api/v1/clients/register", "")
        httpx2.put(f"{origin}/_mock/next", json=script, timeout=LIMIT).raise_for_status()

        def send() -> None:
            with pytest.raises(httpx2.TransportError):
                register(process)

        line = logged(process, send)
    assert line == "127.0.0.1 POST /api/v1/clients/register no response fault reset"


BEGUN = b"POST /api/v1/clients/register HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (b"NONSENSE\r\n\r\n", "INFO 127.0.0.1 400 expected an HTTP/1.1 request, found:"),
        (
            BEGUN + b"Transfer-Encoding: chunked\r\n\r\nx",
            "INFO 127.0.0.1 POST /api/v1/clients/register 400 expected an HTTP/1.1 request, found:",
        ),
        (
            BEGUN + b"Content-Length: 9\r\n\r\ne",
            "INFO 127.0.0.1 POST /api/v1/clients/register no response",
        ),
    ],
    ids=["no HTTP", "no chunk", "a client that leaves"],
)
def test_what_gets_no_status_has_one_line_too(sent: bytes, line: str) -> None:
    with serving("--memory", "--access-log") as process:
        with socket.create_connection(process.address, timeout=LIMIT) as connection:
            connection.sendall(sent)
        assert line in process.read_log_line()
        process.end_input()
        assert process.ended().err == ""


def test_as_json_a_refusal_has_the_fields_of_a_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, access.name)
    scope = {"client": ("192.0.2.1", 1), "method": "GET", "raw_path": b"/x"}
    log_refusal(scope, Refusal(408, "too late"))
    (record,) = caplog.records
    assert record.getMessage() == "192.0.2.1 GET /x 408 too late"
    assert getattr(record, FIELDS) == {
        "client": "192.0.2.1",
        "method": "GET",
        "path": "/x",
        "code": 408,
        "complete": True,
    }


OK = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"a"}


def log_exchange(
    caplog: pytest.LogCaptureFixture,
    *messages: Message,
    path: bytes = b"/x",
    client_left: bool = False,
) -> tuple[str, Any]:
    """The line and the fields of a request whose response consists of `messages`."""

    async def respond(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        pass

    departure = asyncio.Event()
    if client_left:
        departure.set()
    connection = SimpleNamespace(departure=departure, refusal=None)
    scope = {
        "type": "http",
        "client": ("192.0.2.1", 1),
        "method": "GET",
        "path": path.decode(),
        "raw_path": path,
        "extensions": {CONNECTION: connection},
    }
    caplog.set_level(logging.INFO, access.name)
    asyncio.run(AccessLog(respond, lambda _: False)(scope, receive, send))
    (record,) = caplog.records
    return record.getMessage().rpartition(" ms")[0].rpartition(" ")[0], getattr(record, FIELDS)


def test_a_response_that_ends_too_early_is_marked(caplog: pytest.LogCaptureFixture) -> None:
    line, fields = log_exchange(caplog, OK, BODY | {"more_body": True})
    assert line == "192.0.2.1 GET /x 200 OK broken off"
    assert (fields["complete"], fields["client_left"]) == (False, False)


def test_a_response_to_a_client_that_has_left_is_marked(caplog: pytest.LogCaptureFixture) -> None:
    line, fields = log_exchange(caplog, OK, BODY, client_left=True)
    assert line == "192.0.2.1 GET /x 200 OK client left"
    assert (fields["complete"], fields["client_left"]) == (True, True)


def test_a_code_without_a_phrase_is_shown_alone(caplog: pytest.LogCaptureFixture) -> None:
    line, _ = log_exchange(caplog, OK | {"status": 299}, BODY)
    assert line == "192.0.2.1 GET /x 299"


def test_no_path_can_make_lines_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    line, fields = log_exchange(caplog, OK, BODY, path=b"/a\n\x1b\\")
    assert line == r"192.0.2.1 GET /a\n\x1b\\ 200 OK"
    assert fields["path"] == "/a\n\x1b\\"


def test_the_longest_path_is_cut_so_that_processes_do_not_mix_their_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line, fields = log_exchange(caplog, OK, BODY, path=b"/" + b"\\" * 9999)
    assert len(json.dumps({"message": line, **fields})) < select.PIPE_BUF - 500
    assert fields["path"].endswith("...")


@pytest.mark.parametrize("options", [[], ["--no-access-log"]], ids=str)
def test_a_log_that_is_no_terminal_has_no_lines_of_requests(options: list[str]) -> None:
    with serving("--memory", *options) as process:
        assert register(process).status_code == 200
        process.end_input()
        assert process.ended().err == ""


@pytest.mark.parametrize(
    ("options", "has_lines"), [([], True), (["--no-access-log"], False)], ids=["default", "off"]
)
def test_a_terminal_has_them_unless_told_otherwise(options: list[str], *, has_lines: bool) -> None:
    terminal, end = pty.openpty()
    with serving("--memory", *options, stderr=end) as process:
        os.close(end)
        register(process)
        process.end_input()
        process.ended()
    try:
        shown = os.read(terminal, 4096).decode()
    except OSError:
        # Linux says so when the other end is closed and nothing is left.
        shown = ""
    os.close(terminal)
    assert ("200 action-successful" in shown) == has_lines


def json_lines(err: str) -> list[Any]:
    return [json.loads(line) for line in err.splitlines()]


@MODES
def test_as_json_each_line_is_an_object_and_standard_output_is_empty(mode: list[str]) -> None:
    options = ["--memory", "--access-log", "--log-format=json", "--port=0"]
    with started(*options, *mode) as process:
        begin = json.loads(process.read_log_line())
        answer = httpx2.post(begin["url"], content=b"e30=", timeout=LIMIT)
        process.end_input()
        ended = process.ended()
    line, *rest = json_lines(ended.err)
    assert ended.out == ""
    assert begin["message"].startswith("clients-register ")
    assert line["level"] == "INFO"
    assert (line["code"], line["status"]) == (answer.status_code, answer.json()["status"])
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert (line["method"], line["path"]) == ("POST", "/api/v1/clients/register")
    assert line["complete"] is True
    met = [] if mode else ["Statuses met: 1 of 18"]
    assert [each["message"] for each in rest] == [*met, "stopped"]


def test_what_is_logged_before_the_format_is_known_has_it_nevertheless() -> None:
    options = ["--memory", "--log-format=json", "--port=0", "--control-token=t0ken"]
    with started(*options) as process:
        warning = json.loads(process.read_log_line())
    assert warning["level"] == "WARNING"
    assert "--control-token: expected its secret in the variable" in warning["message"]


def test_why_the_server_cannot_start_is_json_too(tmp_path: Path) -> None:
    damaged = tmp_path / "clients.json"
    damaged.write_text("no JSON")
    done = run("serve", "--port=0", f"--data={damaged}", "--log-format=json")
    (error,) = json_lines(done.stderr)
    assert (done.returncode, error["level"]) == (1, "ERROR")
    assert str(damaged) in error["message"]


def test_a_crash_is_one_line_of_json() -> None:
    options = ["--memory", "--log-format=json", "--port=0"]
    with started(*options) as process:
        url = json.loads(process.read_log_line())["url"]
        origin = url.removesuffix("/api/v1/clients/register")
        httpx2.put(f"{origin}/_mock/faults", json={"crash": "before-routing"}, timeout=LIMIT)
        httpx2.post(url, content=b"e30=", headers={"Content-Type": "text/plain"}, timeout=LIMIT)
        crash = json.loads(process.read_log_line())
    assert crash["level"] == "ERROR"
    assert "requested by the faults of the world" in crash["message"]


def test_a_stack_trace_is_part_of_the_object() -> None:
    try:
        raise KeyError("nothing")
    except KeyError:
        record = logging.LogRecord("x", logging.ERROR, "x", 1, "it broke", (), sys.exc_info())
    entry = json.loads(JSONFormatter().format(record))
    assert entry["message"] == "it broke"
    assert entry["exception"].startswith("Traceback")
