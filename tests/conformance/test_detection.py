"""A bare URL: the stub, another server of the route, or something else; and the smoke test."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.command import call, reserved_port
from support.limits import LIMIT
from support.live import Live, LiveStub
from support.suite import another_api, answering, base, profile

from clients_register.conformance.control import TOKEN_VARIABLE, ControlDenied
from clients_register.conformance.decision import ExitCode
from clients_register.conformance.detection import (
    SMOKE_REQUESTS,
    detect_target,
    wait_for_response,
)
from clients_register.conformance.target import target_for_url
from clients_register.spec.statuses import load_statuses

# Long enough to be recognized wherever it is echoed.
TOKEN = "s3cret-of-the-tests-and-of-nothing-else"


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"{}"),
        (401, b'{"detail": "log in"}'),
        (200, b""),
        (200, b"<!doctype html>"),
        (200, b"{}"),
        (200, b"[]"),
        (200, b"null"),
        (200, b'{"route": 5, "contract": {}}'),
        (200, b'{"route": "/up"}'),
    ],
    ids=str,
)
def test_who_answers_whatever_is_asked_is_not_taken_for_the_stub(answer: tuple[int, bytes]) -> None:
    with another_api(*answer) as url:
        target = asyncio.run(detect_target(url, None))
    assert (target.base_url, target.control) == (url, False)


@pytest.mark.parametrize("token", [None, "another"])
def test_a_stub_that_is_closed_to_us_is_told_from_a_server_that_is_none(
    start_stub: Callable[..., LiveStub], token: str | None
) -> None:
    stub = start_stub(control_token="open-sesame")
    with pytest.raises(ControlDenied, match="control token"):
        asyncio.run(detect_target(base(stub), token))
    assert asyncio.run(detect_target(base(stub), "open-sesame")).control


LONG = "x" * 100_000


@pytest.mark.parametrize("body", [LONG, json.dumps({"detail": LONG}), json.dumps({"key": TOKEN})])
def test_a_refusal_is_told_in_few_words_and_without_the_token(body: str) -> None:
    with another_api(401, body.encode(), Mock_Error="x") as url:
        done = call("verify", url, env={TOKEN_VARIABLE: TOKEN})
    assert done.returncode == ExitCode.UNREACHABLE
    assert "refuses access" in done.stderr
    assert len(done.stderr) < 3000
    assert TOKEN not in done.stderr


@pytest.mark.parametrize("status", [LONG, f"your key is {TOKEN}"])
def test_a_status_is_shown_in_few_words_and_without_an_api_key(tmp_path: Path, status: str) -> None:
    with another_api(200, json.dumps({"status": status}).encode()) as url:
        file = profile(tmp_path, base=url, more=f"headers: {{X-Api-Key: {TOKEN}}}")
        done = call("smoke", "--profile", file)
    assert done.returncode == ExitCode.UNREACHABLE
    assert len(done.stdout + done.stderr) < 4000
    assert TOKEN not in done.stdout + done.stderr


def test_a_content_coding_is_shown_in_few_words() -> None:
    body = json.dumps({"status": load_statuses().success.slug}).encode()
    with another_api(200, body, Content_Encoding="x" * 60_000) as url:
        done = call("smoke", url)
    assert done.returncode == ExitCode.VIOLATION
    assert len(done.stdout + done.stderr) < 1000


COMMANDS = {
    "smoke": (),
    "verify": ("--only", "route/post-registers"),
    "fuzz": ("--layer", "order", "--requests", "1"),
}


@contextmanager
def counting(origin: str) -> Iterator[tuple[str, list[str]]]:
    """The base URL of a server, and the methods of all requests to it."""
    methods: list[str] = []

    def count(method: str, path: str) -> None:
        if not path.startswith("/_mock/"):
            methods.append(method)

    with answering(count, origin) as url:
        yield url, methods


@pytest.mark.parametrize("command", COMMANDS)
def test_the_smoke_test_sends_six_requests(shared: Live, tmp_path: Path, command: str) -> None:
    with counting(shared.origin) as (url, methods):
        done = call(command, url, *COMMANDS[command], cwd=tmp_path)
    assert done.returncode in (ExitCode.SUCCESS, ExitCode.VIOLATION), done.stderr
    later = 0 if command == "smoke" else 1
    assert len(methods) == SMOKE_REQUESTS + later == 6 + later
    documented = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text("utf-8")
    assert "with at most six requests" in documented


def test_the_application_of_the_stub_is_known(stub: LiveStub) -> None:
    with counting(stub.origin) as (url, methods):
        assert call("smoke", url).returncode == ExitCode.SUCCESS
    assert len(methods) == SMOKE_REQUESTS - 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_waits_for_a_server_that_is_starting(
    shared: Live, tmp_path: Path, command: str
) -> None:
    early, awaited = iter((502, 503, 504)), "/api/v1/clients/register"

    def start(method: str, path: str) -> tuple[int, bytes] | None:
        code = next(early, None) if (method, path) == ("GET", awaited) else None
        return None if code is None else (code, b"<h1>Bad Gateway</h1>")

    with answering(start, shared.origin) as url:
        done = call(command, url, "--wait", f"{LIMIT:g}", *COMMANDS[command], cwd=tmp_path)
    assert done.returncode in (ExitCode.SUCCESS, ExitCode.VIOLATION), done.stderr
    assert next(early, None) is None


@pytest.mark.parametrize("command", COMMANDS)
def test_the_end_of_the_wait_tells_what_was_found(tmp_path: Path, command: str) -> None:
    with reserved_port() as port:
        url = f"http://127.0.0.1:{port}/api/v1"
        done = call(command, url, "--wait", "0.01", *COMMANDS[command], cwd=tmp_path)
    assert done.returncode == ExitCode.UNREACHABLE
    assert "after 0.01 seconds; is the server running" in done.stderr


async def test_a_server_is_awaited_that_closes_its_first_connections() -> None:
    responses = iter((b"", b"", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(next(responses))
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        target = target_for_url(f"http://127.0.0.1:{port}/api/v1", control=False)
        await wait_for_response(target, LIMIT)
    assert next(responses, None) is None


@pytest.mark.parametrize("command", COMMANDS)
def test_at_most_twelve_requests_look_for_the_route(tmp_path: Path, command: str) -> None:
    methods: list[str] = []

    def count(method: str, path: str) -> tuple[int, bytes]:
        if not path.startswith("/_mock/"):
            methods.append(method)
        return 404, b"{}"

    with answering(count) as url:
        done = call(
            command, f"{url.removesuffix('/api/v1')}/a/b/c/d/e/f", *COMMANDS[command], cwd=tmp_path
        )
    assert done.returncode == ExitCode.UNREACHABLE
    assert len(methods) == SMOKE_REQUESTS - 1 + 12
    documented = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text("utf-8")
    assert "at most twelve more look for it" in documented


def test_of_a_stub_that_is_closed_it_is_said_what_is_not_run(
    start_stub: Callable[..., LiveStub],
) -> None:
    stub = start_stub(control_token="open-sesame")
    closed = call("verify", base(stub), "--only", "stub/*", "--only", "route/*")
    assert closed.returncode == 0
    assert "refuses access (expected the header Authorization: Bearer TOKEN" in closed.stderr
    assert TOKEN_VARIABLE in closed.stderr
    opened = call("verify", base(stub), "--only", "stub/*", env={TOKEN_VARIABLE: "open-sesame"})
    assert (opened.returncode, opened.stderr) == (0, "")
