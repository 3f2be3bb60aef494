"""What a bare URL is taken for."""

import asyncio
from collections.abc import Callable

import pytest
from support.command import call
from support.live import LiveStub
from support.suite import another_api, base

from clients_register.conformance.control import TOKEN_VARIABLE, ControlDenied
from clients_register.conformance.detection import detect_target


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
