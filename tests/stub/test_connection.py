"""Answers that break on their way, as a browser meets them: over a raw socket, and by a client."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from support.limits import LIMIT, until
from support.live import LiveStub, encoded, registration

from clients_register.handlers.settings import Settings
from clients_register.handlers.stub import faults

FAULTS = ("reset", "empty", "truncated", "malformed", "slow")


@contextmanager
def asked(stub: LiveStub, world: str | None, body: bytes) -> Iterator[socket.socket]:
    """A connection on which the route was asked with `body`."""
    host, _, port = stub.origin.removeprefix("http://").partition(":")
    path = stub.route(world).removeprefix(stub.origin)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=LIMIT) as client:
        client.sendall(head.encode() + body)
        yield client


def everything(client: socket.socket) -> bytes:
    """All bytes until the other side ends the connection in order."""
    received = b""
    while piece := client.recv(65536):
        received += piece
    return received


def broken(stub: LiveStub, world: str, fault: str, slug: str | None = "invalid-token") -> None:
    item = {"fault": fault} if slug is None else {"fault": fault, "slug": slug}
    assert stub.control("PUT", "/next", [item], world).status_code == 200


def test_a_reset_ends_the_connection_with_an_error(shared_stub: LiveStub, world: str) -> None:
    broken(shared_stub, world, "reset")
    with asked(shared_stub, world, b"") as client, pytest.raises(ConnectionResetError):
        everything(client)


def test_an_empty_reply_ends_it_in_order_without_a_byte(shared_stub: LiveStub, world: str) -> None:
    broken(shared_stub, world, "empty")
    with asked(shared_stub, world, b"") as client:
        assert everything(client) == b""


def test_a_truncated_body_is_shorter_than_its_length(shared_stub: LiveStub, world: str) -> None:
    broken(shared_stub, world, "truncated")
    with asked(shared_stub, world, b"") as client:
        head, _, body = everything(client).partition(b"\r\n\r\n")
    assert b"content-length: 37\r\n" in head
    assert body == b'{"code":401,"statu'


def test_a_malformed_body_is_whole_and_no_json(shared_stub: LiveStub, world: str) -> None:
    broken(shared_stub, world, "malformed")
    answer = shared_stub.sent({}, world)
    assert answer.status_code == 401
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_slow_body_comes_byte_by_byte_and_whole(
    shared_stub: LiveStub, world: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = threading.Semaphore(0)

    async def pause() -> None:
        assert await asyncio.to_thread(taken.acquire, timeout=LIMIT)

    monkeypatch.setattr(faults, "pause", pause)
    broken(shared_stub, world, "slow")
    body = b""
    with httpx2.stream("POST", shared_stub.route(world), timeout=LIMIT) as answer:
        for piece in answer.iter_raw():
            assert len(piece) == 1
            body += piece
            taken.release()
    assert json.loads(body) == {"code": 401, "status": "invalid-token"}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is slow any more."""
    monkeypatch.setattr(faults, "SLOW_DELAY", 0)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_real_rules_did_is_done_though_its_answer_breaks(
    shared_stub: LiveStub, world: str, email: str, fault: str
) -> None:
    shared_stub.control("PUT", "/next", [{"fault": fault}], world)
    with asked(shared_stub, world, encoded(registration(email))) as client:
        client.settimeout(LIMIT)
        try:
            while client.recv(65536) and fault not in ("malformed", "slow"):
                pass
        except ConnectionResetError:
            assert fault == "reset"
    assert shared_stub.registered(email, world) == "email-already-registered"


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_next_answer_is_whole_again(shared_stub: LiveStub, world: str, fault: str) -> None:
    broken(shared_stub, world, fault)
    try:
        httpx2.post(shared_stub.route(world), timeout=LIMIT)
    except httpx2.HTTPError:
        assert fault in ("reset", "empty", "truncated")
    assert shared_stub.sent({}, world).json()["status"] == "no-params-decoded"


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_request_log_names_the_fault_and_the_log_is_silent(
    shared_stub: LiveStub, world: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken(shared_stub, world, fault)
    with suppress(httpx2.HTTPError):
        httpx2.post(shared_stub.route(world), timeout=LIMIT)
    query = "/requests?status=invalid-token"
    # A caller whose connection breaks may notice before the request log has the entry.
    until(lambda: bool(shared_stub.control("GET", query, world=world).json()))
    (entry,) = shared_stub.control("GET", query, world=world).json()
    assert (entry["fault"], entry["status"]) == (fault, "invalid-token")
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


def test_a_slow_answer_ends_with_its_caller_and_a_stopping_server_need_not_cut_it_off(
    tmp_path: Path, email: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(port=0, bcrypt_cost=4, data=tmp_path / "data.json")
    with LiveStub(settings) as stub:
        stub.control("PUT", "/next", [{"fault": "slow"}])
        with asked(stub, None, encoded(registration(email))) as client:
            assert client.recv(65536)
    assert caplog.messages == []
