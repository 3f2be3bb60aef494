"""Schemathesis, told nothing about the route, meets no undocumented answer and no odd envelope."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from support.command import run_program
from support.live import Live
from teeth.fuzzing import CHECKS

from clients_register import spec

pytestmark = pytest.mark.once


def run(live: Live, directory: Path) -> subprocess.CompletedProcess[str]:
    """`schemathesis run`, deterministic and bounded."""
    document = directory / "openapi.yaml"
    document.write_text(spec.text("openapi"), "utf-8")
    options = {
        "--url": live.origin + live.settings.base_path,
        "--checks": ",".join(CHECKS),
        "--max-examples": "50",
    }
    return run_program(
        *(sys.executable, "-m", "schemathesis.cli", "run", str(document)),
        *(word for option in options.items() for word in option),
        *("--continue-on-failure", "--generation-deterministic"),
        cwd=directory,
        env=os.environ | {"NO_COLOR": "1"},
    )


def test_no_answer_is_undocumented(live: Live, tmp_path: Path) -> None:
    done = run(live, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"([5-9]\d|\d{3,}) generated, \1 passed", done.stdout), done.stdout


def answering(code: int, content_type: bytes, body: bytes, *, request_id: bool = True) -> ASGIApp:
    """A server that always says the same."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", content_type)]
        if request_id:
            headers.append((b"x-request-id", b"1"))
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


FAULTY = {
    "an odd envelope": answering(
        400, b"application/json", b'{"code":400,"status":"no-params-decoded","x":1}'
    ),
    "another code": answering(
        404, b"application/json", b'{"code":404,"status":"route-non-existent"}'
    ),
    "another media type": answering(
        400, b"application/problem+json", b'{"code":400,"status":"no-params-decoded"}'
    ),
    "no request id": answering(400, b"application/json", b'{"code":400}', request_id=False),
}
IN_THE_GATE, *IN_SOAK = FAULTY


@pytest.mark.parametrize(
    "name", [IN_THE_GATE, *(pytest.param(each, marks=pytest.mark.soak) for each in IN_SOAK)]
)
def test_it_would_be_noticed(start: Callable[..., Live], tmp_path: Path, name: str) -> None:
    done = run(start(before_routing=FAULTY[name]), tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
