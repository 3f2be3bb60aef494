"""Clients that leave before they get a response, and worlds that end before their requests."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.limits import LIMIT, until
from support.live import LiveStub, encoded, registration

from clients_register.handlers.stub.worlds import World

# The delay of a script item, in seconds. Only a test that has failed lasts as long.
DELAY = 60


@contextmanager
def connected(stub: LiveStub) -> Iterator[socket.socket]:
    host, _, port = stub.origin.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=LIMIT) as client:
        yield client


def request(stub: LiveStub, world: str, body: bytes) -> bytes:
    path = stub.route(world).removeprefix(stub.origin)
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def log_of(stub: LiveStub, world: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stub.control("GET", "/requests", world=world).json()
    return found


def script_of(stub: LiveStub, world: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stub.control("GET", "/next", world=world).json()
    return found


def is_closed(client: socket.socket) -> bool:
    """Waits for the server to close or reset the connection without a byte."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def is_receiving(stub: LiveStub, world: str) -> bool:
    """Whether a request to the world has begun to arrive."""

    async def look() -> bool:
        found = stub.app.worlds.find(world)
        return found is not None and any(each.waits_for_client for each in found._connections)

    # On the server's own loop, where no request is seen halfway through the parser.
    return stub.run(look())


class Delays:
    """Delays of responses, which end when the test says so."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self._ended = threading.Event()

    def end(self) -> None:
        self._ended.set()

    async def sleep(self, _seconds: float) -> bool:
        self.begun.release()
        return await asyncio.to_thread(self._ended.wait, LIMIT)


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> Delays:
    controlled = Delays()
    monkeypatch.setattr(World, "sleep", lambda _, seconds: controlled.sleep(seconds))
    return controlled


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_during_a_delay_is_in_the_log_with_its_item(
    shared_stub: LiveStub, world: str, email: str, delays: Delays, how: str
) -> None:
    shared_stub.control("PUT", "/next", [{"delay": DELAY}], world)
    with connected(shared_stub) as client:
        client.sendall(request(shared_stub, world, encoded(registration(email))))
        assert delays.begun.acquire(timeout=LIMIT)
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connections = shared_stub.app.worlds.find(world)._connections
    until(lambda: all(each.departure.is_set() for each in connections))
    delays.end()
    until(lambda: bool(log_of(shared_stub, world)))
    (entry,) = log_of(shared_stub, world)
    assert (entry["client_left"], entry["status"]) == (True, "action-successful")
    assert entry["script"] == {"slug": None, "delay": DELAY, "fault": None}
    assert script_of(shared_stub, world) == []
    assert shared_stub.registered(email, world) == "email-already-registered"


def test_a_client_that_stays_has_not_left(shared_stub: LiveStub, world: str) -> None:
    shared_stub.control("PUT", "/next", ["missing-param"], world)
    shared_stub.sent({}, world)
    shared_stub.sent({}, world)
    scripted, natural = log_of(shared_stub, world)
    assert scripted["script"] == {"slug": "missing-param", "delay": 0, "fault": None}
    assert natural["script"] is None
    assert [each["client_left"] for each in (scripted, natural)] == [False, False]


def test_an_aborted_upload_uses_no_item_of_the_script(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    shared_stub.control("PUT", "/next", ["mandrill-email-failed"], world)
    with connected(shared_stub) as client:
        client.sendall(request(shared_stub, world, encoded(registration(email)))[:-1])
        until(lambda: is_receiving(shared_stub, world))
    until(lambda: not is_receiving(shared_stub, world))
    assert log_of(shared_stub, world) == []
    assert shared_stub.registered(email, world) == "mandrill-email-failed"


@pytest.mark.parametrize("via", [None, "itself"])
def test_deleting_a_world_ends_its_stalled_uploads(
    shared_stub: LiveStub, world: str, via: str | None
) -> None:
    shared_stub.control("GET", "/health", world=world)
    with connected(shared_stub) as client:
        client.sendall(request(shared_stub, world, b"x" * 100)[:-50])
        until(lambda: is_receiving(shared_stub, world))
        caller = world if via == "itself" else None
        answer = shared_stub.control("DELETE", f"/worlds/{world}", world=caller)
        assert answer.status_code == 200
        assert is_closed(client)


def test_deleting_a_world_ends_its_delays(shared_stub: LiveStub, world: str) -> None:
    shared_stub.control("PUT", "/next", [{"delay": DELAY}], world)
    with connected(shared_stub) as client:
        client.sendall(request(shared_stub, world, b""))
        until(lambda: not shared_stub.app.worlds.find(world).state.script.items)
        assert shared_stub.control("DELETE", f"/worlds/{world}").status_code == 200
        assert is_closed(client)


def test_a_stopping_server_ends_delays(stub: LiveStub) -> None:
    stub.control("PUT", "/next", [{"delay": DELAY}])
    with connected(stub) as client:
        client.sendall(request(stub, "default", b"").replace(b"/_world/default", b""))
        until(lambda: not stub.app.worlds.default.state.script.items)
        stub.stop()
        assert is_closed(client)


def test_a_request_that_never_arrives_creates_no_world(shared_stub: LiveStub, world: str) -> None:
    with connected(shared_stub) as client:
        client.sendall(request(shared_stub, world, b"x" * 100)[:-50])
        # By the time of this response, the other request has been read as far as it goes.
        shared_stub.control("GET", "/health")
        shown = shared_stub.control("GET", "/worlds").json()
    assert world not in [each["name"] for each in shown]


def test_a_reset_of_a_connection_that_its_client_has_reset_is_silent(
    shared_stub: LiveStub, world: str, delays: Delays, caplog: pytest.LogCaptureFixture
) -> None:
    shared_stub.control("PUT", "/next", [{"fault": "reset", "delay": DELAY}], world)
    with connected(shared_stub) as client:
        client.sendall(request(shared_stub, world, b""))
        assert delays.begun.acquire(timeout=LIMIT)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connections = shared_stub.app.worlds.find(world)._connections
    until(lambda: all(each.departure.is_set() for each in connections))
    delays.end()
    until(lambda: bool(log_of(shared_stub, world)))
    until(lambda: not connections)
    assert caplog.messages == []
