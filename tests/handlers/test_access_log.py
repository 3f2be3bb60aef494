"""The log of a server: a line per request, and all of it as JSON."""

import json
import os
import pty
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.backend import Backend
from support.command import Process, run, serving, started
from support.limits import LIMIT
from support.live import encoded, registration

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


def test_nobody_can_make_lines_of_their_own() -> None:
    with serving("--memory", "--access-log") as process:
        url = process.url.replace("/api/v1/clients/register", "/a%0a%1b%5c")
        assert "/a%0a%1b%5c 500" in logged(process, lambda: httpx2.get(url, timeout=LIMIT))


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (b"NONSENSE\r\n\r\n", "INFO 127.0.0.1 400 expected an HTTP/1.1 request, found:"),
        (
            b"POST /api/v1/clients/register HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\ne",
            "INFO 127.0.0.1 POST /api/v1/clients/register no response",
        ),
    ],
    ids=["no HTTP", "a client that leaves"],
)
def test_what_gets_no_status_has_a_line_too(sent: bytes, line: str) -> None:
    with serving("--memory", "--access-log") as process:
        with socket.create_connection(process.address, timeout=LIMIT) as connection:
            connection.sendall(sent)
        assert line in process.read_log_line()


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
    assert [each["message"] for each in rest] == ([] if mode else ["Statuses met: 1 of 18"])


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
