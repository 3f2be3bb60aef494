"""The protocol of a server says, byte for byte, what uvicorn's own would."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from clients_register.handlers.protocol import BufferedCycle, HttpProtocol, check_buffering

LENGTH = (b"content-length", b"5")


def start(*headers: tuple[bytes, bytes], status: int = 400) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(content: bytes = b"hello", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


PLAIN = [start((b"x-request-id", b"1"), LENGTH), body()]

# Name -> what the application sends, after a request of that first line.
ANSWERS: dict[str, tuple[str, list[Message]]] = {
    "plain": ("POST / HTTP/1.1", PLAIN),
    "without a body": ("POST / HTTP/1.1", [start(status=204), {"type": "http.response.body"}]),
    "without a length": ("POST / HTTP/1.1", [start(), body()]),
    "without headers": ("POST / HTTP/1.1", [{**PLAIN[0], "headers": []}, body()]),
    "in pieces": ("POST / HTTP/1.1", [start(LENGTH), body(b"he", more=True), body(b"llo")]),
    "chunked": ("POST / HTTP/1.1", [start((b"transfer-encoding", b"chunked")), body()]),
    "chunked and long": (
        "POST / HTTP/1.1",
        [start(LENGTH, (b"transfer-encoding", b"chunked")), body()],
    ),
    "too short": ("POST / HTTP/1.1", [start(LENGTH), body(b"hell")]),
    "too long": ("POST / HTTP/1.1", [start(LENGTH), body(b"hello!")]),
    "the last": ("POST / HTTP/1.1", [start(LENGTH, (b"connection", b"close")), body()]),
    "a line break in a value": ("POST / HTTP/1.1", [start(LENGTH, (b"x", b"1\r\ny: 2")), body()]),
    "half a line break": ("POST / HTTP/1.1", [start(LENGTH, (b"x", b"1\ny: 2")), body()]),
    "to HEAD": ("HEAD / HTTP/1.1", PLAIN),
    "to an old client": ("POST / HTTP/1.0", PLAIN),
    "nothing": ("POST / HTTP/1.1", []),
    "two of them": ("POST / HTTP/1.1", [*PLAIN, *PLAIN]),
}


class Recorder(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def answered(
    protocol: type[HttpToolsProtocol], first: str, answer: Sequence[Message], requests: int = 1
) -> Recorder:
    """What goes over a connection on which as many `requests` came at once."""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for message in answer:
            await send(message)

    config = uvicorn.Config(
        app, access_log=False, http=protocol, lifespan="off", log_config=None, ws="none"
    )
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"Thu, 01 Jan 2026 00:00:00 GMT")]
    connection = protocol(config=config, server_state=state, app_state={})
    transport = Recorder()
    connection.connection_made(transport)
    kept = "Connection: keep-alive\r\n" if first.endswith("1.0") else ""
    connection.data_received(f"{first}\r\nHost: x\r\n{kept}\r\n".encode() * requests)
    while state.tasks:
        await asyncio.gather(*state.tasks)
        # Those that are done are let go of by callbacks, which `gather` need not wait for.
        await asyncio.sleep(0)
    connection.connection_lost(None)
    return transport


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_has_the_bytes_that_uvicorn_would_send(name: str) -> None:
    first, answer = ANSWERS[name]
    ours = await answered(HttpProtocol, first, answer)
    theirs = await answered(HttpToolsProtocol, first, answer)
    assert b"".join(ours.written) == b"".join(theirs.written)
    assert ours.closed == theirs.closed


async def test_a_plain_answer_is_written_in_one_go() -> None:
    first, answer = ANSWERS["plain"]
    assert len((await answered(HttpProtocol, first, answer)).written) == 1


async def test_a_head_without_a_body_is_a_crash_that_is_told_of() -> None:
    written = (await answered(HttpProtocol, "POST / HTTP/1.1", [start(LENGTH)])).written
    assert b"".join(written).startswith(b"HTTP/1.1 500 ")


async def test_requests_that_come_at_once_are_answered_one_by_one() -> None:
    first, answer = ANSWERS["plain"]
    written = (await answered(HttpProtocol, first, answer, requests=3)).written
    assert len(written) == 3
    assert written == [written[0]] * 3


async def test_with_this_uvicorn_responses_are_buffered(caplog: pytest.LogCaptureFixture) -> None:
    await check_buffering()
    assert HttpProtocol.buffers
    assert caplog.records == []


def raise_error(*_: object) -> None:
    raise AttributeError("flow")


@pytest.mark.parametrize(
    "difference", [{"_serialize": raise_error}, {"_serialize": lambda *_: b"HTTP/1.1 200 OK"}]
)
async def test_with_a_different_uvicorn_responses_are_not_buffered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, difference: dict[str, Any]
) -> None:
    for name, value in difference.items():
        monkeypatch.setattr(BufferedCycle, name, value)
    monkeypatch.setattr(HttpProtocol, "buffers", True)
    await check_buffering()
    assert not HttpProtocol.buffers
    assert "sends responses in another way" in caplog.text
    written = (await answered(HttpProtocol, "POST / HTTP/1.1", PLAIN)).written
    assert len(written) > 1
