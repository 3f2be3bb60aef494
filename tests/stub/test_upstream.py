"""With `--upstream`, a stub forwards all other paths to the real backend, as a gateway should."""

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.archive import entries_of
from support.backend import Backend, Exchange, echo
from support.command import certified, reserved_port, serving
from support.limits import LIMIT, until
from support.live import LiveStub
from support.sockets import connected, is_closed, raw, reset_at_close

from clients_register.handlers.settings import Settings
from clients_register.handlers.stub import upstream

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, shared_backend: Backend
) -> Iterator[LiveStub]:
    """A stub in front of the backend's folder `base`, which is also called `stub`."""
    settings = Settings(
        port=0,
        bcrypt_cost=4,
        data=tmp_path_factory.mktemp("gateway") / "data.json",
        upstream=f"{shared_backend.url}/base/",
        control_host=("stub",),
    )
    with LiveStub(settings) as stub:
        yield stub


def entries(stub: LiveStub, world: str | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stub.control("GET", "/requests", world=world).json()
    return found


def test_a_forwarded_request_is_in_the_archive_without_its_body(
    gateway: LiveStub, backend: Backend, world: str
) -> None:
    gateway.registered("creates@the.world", world)
    gateway.http.put(gateway.at("/projects/1?token=abc", world), content=b"content")
    archive = gateway.control("GET", "/requests?format=har&after=1", world=world).json()
    (entry,) = entries_of(archive)
    assert entry["request"]["url"] == gateway.at("/projects/1?token=[hidden]", world)
    assert "postData" not in entry["request"]
    assert "text" not in entry["response"]["content"]
    assert "was not kept" in entry["comment"]


# Which requests are forwarded


@pytest.mark.parametrize("method", METHODS)
def test_any_method_of_another_path_is_forwarded(
    gateway: LiveStub, backend: Backend, method: str
) -> None:
    response = gateway.http.request(method, gateway.at("/api/v1/projects"), content=b"content")
    assert response.status_code == 200
    assert backend.last.line == f"{method} /base/api/v1/projects HTTP/1.1"
    assert response.content == (b"" if method == "HEAD" else backend.last.line.encode())


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/a/../b/./c",
        "//double//slash/",
        "/%2e%2e/%41%7c?x=%20&y=+&&z",
        "/a?",
        "/quote'|{}[]?q='|{}[]",
        "/_mocked/not-the-control-plane",
    ],
)
def test_paths_and_queries_arrive_as_they_were_sent(
    gateway: LiveStub, backend: Backend, target: str
) -> None:
    raw(gateway, f"GET {target} HTTP/1.1\nHost: localhost\nConnection: close\n\n")
    assert backend.last.line == f"GET /base{target.removesuffix('?')} HTTP/1.1"


@pytest.mark.parametrize("prefix", ["/_world/NAME", "/%5Fworld/NAME", "/%5fworld/%4EAME"])
def test_the_path_of_a_world_is_forwarded_without_its_prefix(
    gateway: LiveStub, backend: Backend, world: str, prefix: str
) -> None:
    path = prefix.replace("NAME", world).replace("%4EAME", f"%{ord(world[0]):x}{world[1:]}")
    raw(gateway, f"GET {path}/a%20b%2Fc%FF HTTP/1.1\nHost: localhost\nConnection: close\n\n")
    assert backend.last.line == "GET /base/a%20b%2Fc%FF HTTP/1.1"
    assert backend.last.values("x-forwarded-prefix") == [f"/_world/{world}"]


def test_an_encoded_slash_ends_no_name_of_a_world(gateway: LiveStub, backend: Backend) -> None:
    answer = raw(gateway, "GET /_world/w%2Fx HTTP/1.1\nHost: localhost\nConnection: close\n\n")
    assert b"\r\nmock-error: bad-world\r\n" in answer.lower()
    assert backend.exchanges == []
    raw(gateway, "GET /_world%2Fw/x HTTP/1.1\nHost: localhost\nConnection: close\n\n")
    assert backend.last.line == "GET /base/_world%2Fw/x HTTP/1.1"


def test_the_route_and_the_control_plane_are_not_forwarded(
    gateway: LiveStub, backend: Backend, world: str, email: str
) -> None:
    assert gateway.registered(email, world) == "action-successful"
    assert gateway.http.get(gateway.route(world)).json()["status"] == "route-non-existent"
    assert gateway.control("GET", "/nowhere", world=world).status_code == 404
    assert gateway.http.get(gateway.at("/_mock/")).status_code == 200
    assert raw(gateway, "OPTIONS * HTTP/1.1\nHost: a\nConnection: close\n\n").endswith(b"}")
    assert backend.exchanges == []


# Headers


def test_headers_arrive_with_the_address_of_the_client_and_without_those_of_its_connection(
    gateway: LiveStub, backend: Backend
) -> None:
    host = gateway.origin.removeprefix("http://")
    raw(
        gateway,
        f"GET /a HTTP/1.1\nHost: {host}\nConnection: close, X-Private\nX-Private: 1\n"
        "Keep-Alive: timeout=5\nProxy-Connection: keep-alive\nTE: trailers\nUpgrade: h2c\n"
        "Accept: text/html\nCookie: a=1\nAuthorization: Basic eDp5\nX-Twice: 1\nX-Twice: 2\n\n",
    )
    via = backend.last.values("via")
    assert sorted(backend.last.headers) == sorted(
        [
            ("host", backend.url.removeprefix("http://")),
            ("accept", "text/html"),
            ("cookie", "a=1"),
            ("authorization", "Basic eDp5"),
            ("x-twice", "1"),
            ("x-twice", "2"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-host", host),
            ("x-forwarded-proto", "http"),
            ("via", *via),
        ]
    )


def test_what_a_proxy_in_front_says_of_the_client_is_kept(
    gateway: LiveStub, backend: Backend
) -> None:
    headers = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Host": "app.example.com",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/stub",
        "Via": "1.1 proxy",
    }
    gateway.http.get(gateway.at("/a", "other"), headers=headers)
    found = backend.last
    assert found.values("x-forwarded-for") == ["203.0.113.7, 127.0.0.1"]
    assert found.values("x-forwarded-host") == ["app.example.com"]
    assert found.values("x-forwarded-proto") == ["https"]
    assert found.values("x-forwarded-prefix") == ["/stub/_world/other"]
    assert found.values("via")[0] == "1.1 proxy"


def test_a_response_arrives_as_it_was_sent_but_for_headers_of_its_connection(
    gateway: LiveStub, backend: Backend
) -> None:
    body = gzip.compress(b"content", mtime=0)
    backend.answer = lambda exchange: exchange.respond(
        body,
        "Date: Thu, 01 Jan 2026 00:00:00 GMT",
        "Server: backend",
        "Content-Encoding: gzip",
        "Set-Cookie: a=1; Domain=example.com",
        "Set-Cookie: b=2",
        "Connection: keep-alive, X-Private",
        "X-Private: 1",
        "Keep-Alive: timeout=5",
        "X-Request-Id: of-the-backend",
        status="418 I'm a teapot",
    )
    response = raw(gateway, "GET /a HTTP/1.1\nHost: localhost\nConnection: close\n\n")
    head, _, content = response.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith("HTTP/1.1 418 ")
    assert [line for line in lines[1:] if not line.startswith("via: ")] == [
        "date: Thu, 01 Jan 2026 00:00:00 GMT",
        "server: backend",
        "content-encoding: gzip",
        "set-cookie: a=1; Domain=example.com",
        "set-cookie: b=2",
        "x-request-id: of-the-backend",
        f"content-length: {len(body)}",
        "connection: close",
    ]
    assert content == body


@pytest.mark.parametrize("code", [201, 204, 301, 303, 304, 307, 400, 401, 407, 503, 599, 999])
def test_statuses_are_passed_on_and_redirects_are_not_followed(
    gateway: LiveStub, backend: Backend, code: int
) -> None:
    def answer(exchange: Exchange) -> None:
        head = f"HTTP/1.1 {code} Status\r\nLocation: /b\r\n"
        exchange.send((head + ("" if code in (204, 304) else "Content-Length: 0\r\n")).encode())
        exchange.send(b"\r\n")

    backend.answer = answer
    response = gateway.http.get(gateway.at("/a"))
    assert (response.status_code, response.headers["Location"]) == (code, "/b")
    assert len(backend.exchanges) == 1


def test_one_connection_to_the_backend_serves_several_requests(
    start_stub: Callable[..., LiveStub], backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "KEEPALIVE_EXPIRY", 2 * LIMIT)
    stub = start_stub(upstream=backend.url)
    stub.http.get(stub.at("/a"))
    before = backend.connections
    stub.http.get(stub.at("/b"))
    assert backend.connections == before


def test_a_connection_that_was_idle_for_some_time_is_not_used_again(
    start_stub: Callable[..., LiveStub], backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "KEEPALIVE_EXPIRY", 0)
    stub = start_stub(upstream=backend.url)
    stub.http.get(stub.at("/a"))
    before = backend.connections
    stub.http.get(stub.at("/b"))
    assert backend.connections == before + 1


def test_a_connection_that_the_backend_closes_after_a_response_is_not_used_again(
    gateway: LiveStub, backend: Backend
) -> None:
    closed = threading.Event()

    def answer(exchange: Exchange) -> None:
        exchange.respond(b"a")
        exchange.connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    backend.answer = answer
    assert gateway.http.get(gateway.at("/a")).content == b"a"
    assert closed.wait(LIMIT)
    assert gateway.http.get(gateway.at("/a")).content == b"a"


# Streams


def test_a_request_is_forwarded_as_it_arrives(gateway: LiveStub, backend: Backend) -> None:
    arrived = threading.Semaphore(0)

    def answer(exchange: Exchange) -> None:
        exchange.read_until(b"first")
        arrived.release()
        exchange.read_until(b"0\r\n\r\n")
        exchange.respond(b"complete")

    backend.answer = answer
    with connected(gateway) as client:
        client.sendall(
            b"POST /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"5\r\nfirst\r\n")
        assert arrived.acquire(timeout=LIMIT)
        client.sendall(b"6\r\nsecond\r\n0\r\n\r\n")
        assert b"".join(iter(lambda: client.recv(65536), b"")).endswith(b"complete")
    assert backend.last.values("transfer-encoding") == ["chunked"]
    assert backend.last.values("expect") == []


def test_a_response_is_sent_as_it_arrives(gateway: LiveStub, backend: Backend) -> None:
    received = threading.Semaphore(0)

    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        exchange.send(b"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        for event in (b"data: 1\n\n", b"data: 2\n\n"):
            assert received.acquire(timeout=LIMIT)
            exchange.send(b"%x\r\n%b\r\n" % (len(event), event))
        assert received.acquire(timeout=LIMIT)
        exchange.send(b"0\r\nX-Sum: 1\r\n\r\n")

    backend.answer = answer
    with gateway.http.stream("GET", gateway.at("/events")) as response:
        # The head arrives before any event does.
        assert response.headers["Content-Type"] == "text/event-stream"
        assert "Trailer" not in response.headers
        received.release()
        events = response.iter_raw()
        assert next(events) == b"data: 1\n\n"
        received.release()
        assert next(events) == b"data: 2\n\n"
        received.release()
        assert list(events) == []


class Departure:
    """An answer that reads or sends something, and then notices that the other side leaves."""

    def __init__(self, act: Callable[[Exchange], object]) -> None:
        self.begun, self.noticed = threading.Event(), threading.Event()
        self._act = act

    def __call__(self, exchange: Exchange) -> None:
        self._act(exchange)
        self.begun.set()
        if exchange.is_left():
            self.noticed.set()


def begin_stream(exchange: Exchange) -> None:
    """Sends the head of a response."""
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


@pytest.mark.parametrize("how", ["it closes", "it resets"])
@pytest.mark.parametrize("when", ["before the response", "during the response"])
def test_a_client_that_leaves_ends_the_exchange_with_the_backend(
    gateway: LiveStub, backend: Backend, when: str, how: str
) -> None:
    is_streaming = when == "during the response"
    backend.answer = departure = Departure(begin_stream if is_streaming else lambda _: None)
    with connected(gateway) as client:
        client.sendall(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert departure.begun.wait(LIMIT)
        if is_streaming:
            client.recv(1)
        if how == "it resets":
            reset_at_close(client)
    assert departure.noticed.wait(LIMIT)


def test_an_aborted_upload_ends_the_exchange_with_the_backend(
    gateway: LiveStub, backend: Backend
) -> None:
    backend.answer = departure = Departure(lambda exchange: exchange.read(5))
    with connected(gateway) as client:
        client.sendall(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nfirst")
        assert departure.begun.wait(LIMIT)
    assert departure.noticed.wait(LIMIT)


def test_removing_a_world_ends_its_streams(gateway: LiveStub, backend: Backend, world: str) -> None:
    backend.answer = Departure(begin_stream)
    gateway.control("GET", "/health", world=world)
    with connected(gateway) as client:
        client.sendall(f"GET /_world/{world}/a HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert client.recv(1)
        assert gateway.control("DELETE", f"/worlds/{world}").status_code == 200
        assert is_closed(client)


def test_a_stop_does_not_wait_for_a_stream_of_events(backend: Backend) -> None:
    def begin_events(exchange: Exchange) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        exchange.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())

    backend.answer = departure = Departure(begin_events)
    with serving("--memory", "--upstream", backend.url) as process:
        with socket.create_connection(process.address, timeout=LIMIT) as client:
            client.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(1)
            process.end_input()
            assert is_closed(client)
        ended = process.ended()
    assert (ended.code, ended.err) == (0, "")
    assert departure.noticed.wait(LIMIT)


# Failures


def problem(response: Any) -> tuple[int, str, str]:
    """The code, the kind and the sentence of a problem of the stub's."""
    assert response.headers["Content-Type"] == "application/problem+json"
    details = response.json()
    assert details["hint"]
    return response.status_code, response.headers["Mock-Error"], details["detail"]


def hanging_up(exchange: Exchange) -> None:
    exchange.connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "answer",
    [
        hanging_up,
        lambda exchange: exchange.send(b"nonsense\r\n\r\n"),
        lambda exchange: exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    ],
    ids=["no response", "no HTTP", "another protocol"],
)
def test_a_backend_without_a_response_is_a_bad_gateway(
    gateway: LiveStub, backend: Backend, answer: Callable[[Exchange], object]
) -> None:
    backend.answer = answer
    code, kind, detail = problem(gateway.http.get(gateway.at("/a")))
    assert (code, kind) == (502, "upstream-failed")
    assert f"{backend.url}/base" in detail


def test_a_backend_that_cannot_be_reached_is_a_bad_gateway(
    start_stub: Callable[..., LiveStub],
) -> None:
    with reserved_port() as port:
        url = f"http://127.0.0.1:{port}"
        stub = start_stub(upstream=url)
        response = stub.http.get(stub.at("/a"))
    assert problem(response) == (
        502,
        "upstream-unreachable",
        f"expected {url} to accept connections, found: Connection refused",
    )
    (entry,) = entries(stub)
    assert (entry["code"], entry["id"]) == (502, response.headers["X-Request-Id"])
    assert entry["forwarded_to"] is None
    assert entry["explanation"]["summary"] == "The stub reported a problem; see the response."
    # The rest goes on.
    assert stub.registered("ada@example.test") == "action-successful"


@pytest.mark.parametrize("begins", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_a_backend_that_takes_too_long_is_a_gateway_timeout(
    start_stub: Callable[..., LiveStub], backend: Backend, begins: bytes
) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(begins)
        exchange.is_left()

    backend.answer = answer
    stub = start_stub(upstream=backend.url, upstream_timeout=0.05)
    code, kind, detail = problem(stub.http.get(stub.at("/a")))
    assert (code, kind) == (504, "upstream-timeout")
    assert "within 0.05 seconds" in detail


def test_the_timeout_does_not_begin_before_a_request_is_complete(
    gateway: LiveStub, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, released = threading.Event(), threading.Event()
    timeouts: list[asyncio.Timeout] = []
    create_timeout = asyncio.timeout

    def record(delay: float | None) -> asyncio.Timeout:
        timeouts.append(create_timeout(delay))
        return timeouts[-1]

    def answer(exchange: Exchange) -> None:
        exchange.read(5)
        arrived.set()
        exchange.read(4)
        assert released.wait(LIMIT)
        exchange.respond(b"complete")

    backend.answer = answer
    monkeypatch.setattr(asyncio, "timeout", record)
    with connected(gateway) as client:
        client.sendall(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nfirst")
        assert arrived.wait(LIMIT)
        (timeout,) = timeouts
        assert timeout.when() is None
        client.sendall(b"last")
        until(lambda: timeout.when() is not None)
        released.set()
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("framing", ["Content-Length: 99", "Transfer-Encoding: chunked"])
def test_a_response_that_breaks_off_ends_the_connection(
    gateway: LiveStub, backend: Backend, framing: str, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n5\r\nfirst\r\n".encode())
        exchange.connection.shutdown(socket.SHUT_RDWR)

    backend.answer = answer
    with pytest.raises(httpx2.RemoteProtocolError):
        gateway.http.get(gateway.at("/a"))
    assert caplog.messages == [f"{backend.url}/base/a broke off a response"]


def test_a_response_to_http_1_0_that_breaks_off_does_not_look_complete(
    gateway: LiveStub, backend: Backend
) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        exchange.connection.shutdown(socket.SHUT_RDWR)

    backend.answer = answer
    with pytest.raises(ConnectionResetError):
        raw(gateway, "GET /a HTTP/1.0\nHost: localhost\n\n")


# Only the first response belongs to the request.
SURPLUS = {
    "a second response": (
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nX-Evil: 1\r\n\r\n",
    ),
    "a body after HEAD": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "a body of no content": ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok"),
}


@pytest.mark.parametrize("kind", SURPLUS)
def test_bytes_after_a_response_are_not_the_response_to_the_next_request(
    gateway: LiveStub, backend: Backend, kind: str
) -> None:
    method, sent = SURPLUS[kind]
    backend.answer = lambda exchange: exchange.send(sent)
    first = gateway.http.request(method, gateway.at("/a"))
    assert first.content == (b"ok" if kind == "a second response" else b"")
    backend.answer = echo
    assert gateway.http.get(gateway.at("/b")).text == "GET /base/b HTTP/1.1"


def test_no_content_has_no_length(gateway: LiveStub, backend: Backend) -> None:
    backend.answer = lambda exchange: exchange.respond(status="204 No Content")
    response = gateway.http.get(gateway.at("/a"))
    assert (response.status_code, "Content-Length" in response.headers) == (204, False)


def test_a_connection_header_cannot_take_the_length_or_the_host_away(
    gateway: LiveStub, backend: Backend
) -> None:
    answer = raw(
        gateway,
        "POST /a HTTP/1.1\nHost: localhost\nConnection: close, content-length, host, x-own\n"
        "X-Own: 1\nContent-Length: 3\n\n",
        b"abc",
    )
    assert answer.endswith(b"POST /base/a HTTP/1.1")
    assert backend.last.values("content-length") == ["3"]
    assert backend.last.values("host") == [backend.url.removeprefix("http://")]
    assert backend.last.values("x-own") == []


def test_a_length_with_many_zeros_is_forwarded(gateway: LiveStub, backend: Backend) -> None:
    zeros = f"Content-Length: {'0' * 24}3"
    request = f"POST /a HTTP/1.1\nHost: localhost\nConnection: close\n{zeros}\n\n"
    assert raw(gateway, request, b"abc").endswith(b"POST /base/a HTTP/1.1")
    assert backend.last.values("content-length") == ["3"]


def test_without_a_host_none_is_forwarded(gateway: LiveStub, backend: Backend) -> None:
    raw(gateway, "GET /a HTTP/1.0\n\n")
    assert backend.last.values("x-forwarded-host") == []


def test_the_handshake_of_a_websocket_is_refused_with_the_address_to_use(
    gateway: LiveStub, backend: Backend
) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "AAAA"}
    response = gateway.http.get(gateway.at("/socket"), headers=headers)
    assert problem(response)[:2] == (501, "websocket-not-forwarded")
    assert (
        response.json()["hint"] == f"Open the WebSocket at {backend.url.replace('http', 'ws')}/base"
    )
    assert backend.exchanges == []


def test_an_upstream_that_leads_back_is_a_loop(gateway: LiveStub, backend: Backend) -> None:
    def answer(exchange: Exchange) -> None:
        # As another proxy would, it sends the request to the stub again.
        with connected(gateway) as client:
            client.sendall(exchange.head.encode().replace(b" /base", b" ") + b"\r\n\r\n")
            exchange.send(client.recv(65536))

    backend.answer = answer
    assert problem(gateway.http.get(gateway.at("/a")))[:2] == (508, "upstream-loop")
    assert len(backend.exchanges) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, and its key."""
    return certified(tmp_path_factory.mktemp("tls"))


def test_an_unknown_certificate_is_a_bad_gateway_that_says_how_to_trust_it(
    start_stub: Callable[..., LiveStub], certificate: Path
) -> None:
    with Backend(certificate) as backend:
        stub = start_stub(upstream=backend.url)
        response = stub.http.get(stub.at("/a"))
        assert problem(response)[:2] == (502, "upstream-untrusted")
        assert "SSL_CERT_FILE" in response.json()["hint"]
        assert backend.exchanges == []


def test_a_certificate_of_another_name_is_told_as_that(
    start_stub: Callable[..., LiveStub], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Backend(certificate) as backend:
        stub = start_stub(upstream=backend.url.replace("127.0.0.1", "localhost"))
        response = stub.http.get(stub.at("/a"))
    code, kind, detail = problem(response)
    assert (code, kind) == (502, "upstream-untrusted")
    assert "to have a certificate for that name, found: Hostname mismatch" in detail


def test_an_upstream_that_does_not_speak_tls_is_told_as_that(
    start_stub: Callable[..., LiveStub], gateway: LiveStub
) -> None:
    url = gateway.origin.replace("http://", "https://")
    stub = start_stub(upstream=url)
    response = stub.http.get(stub.at("/a"))
    code, kind, detail = problem(response)
    assert (code, kind) == (502, "upstream-unreachable")
    assert f"expected {url} to speak TLS, found: " in detail
    assert "http:// and https://" in response.json()["hint"]


def test_a_certificate_that_this_machine_trusts_is_enough(
    start_stub: Callable[..., LiveStub], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Backend(certificate) as backend:
        stub = start_stub(upstream=backend.url)
        assert stub.http.get(stub.at("/a")).text == "GET /a HTTP/1.1"


def test_a_proxy_of_the_environment_sees_no_request(
    start_stub: Callable[..., LiveStub], backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Backend() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        stub = start_stub(upstream=backend.url)
        raw(stub, "GET /a HTTP/1.1\nHost: localhost\nConnection: close\n\n")
        assert (len(backend.exchanges), proxy.connections) == (1, 0)


# Pages


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("localhost:4018", 200),
        ("app.localhost", 200),
        ("127.0.0.1", 200),
        ("192.0.2.7:4018", 200),
        ("[2001:db8::7]", 200),
        ("stub", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
    ],
)
def test_only_names_of_this_machine_reach_the_backend(
    gateway: LiveStub, backend: Backend, host: str, code: int
) -> None:
    response = gateway.http.get(gateway.at("/a"), headers={"Host": host})
    assert response.status_code == code
    assert len(backend.exchanges) == (1 if code == 200 else 0)


PAGE = "http://localhost:3000"
ALLOWED = ("Access-Control-Allow-Origin: https://app.example.com", "Vary: Accept")


@pytest.fixture
def paged(start_stub: Callable[..., LiveStub], backend: Backend) -> LiveStub:
    """A stub whose backend allows another page, while the stub itself allows `PAGE`."""
    backend.answer = lambda exchange: exchange.respond(b"a", *ALLOWED)
    return start_stub(upstream=backend.url, cors_origin=(PAGE,))


def test_a_named_page_may_read_the_responses_of_the_backend(paged: LiveStub) -> None:
    response = paged.http.get(paged.at("/a"), headers={"Origin": PAGE})
    assert response.headers.get_list("Access-Control-Allow-Origin") == [PAGE]
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert response.headers["Vary"] == "Accept, Origin"


def test_a_named_page_may_send_any_request_to_the_backend(
    paged: LiveStub, backend: Backend
) -> None:
    headers = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "x-csrf",
    }
    response = paged.http.options(paged.at("/a"), headers=headers)
    assert (response.status_code, backend.exchanges) == (204, [])
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert response.headers["Access-Control-Allow-Methods"] == "DELETE"
    assert response.headers["Access-Control-Allow-Headers"] == "x-csrf"


def test_the_backend_decides_about_other_pages(paged: LiveStub) -> None:
    headers = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "PUT"}
    for response in (
        paged.http.options(paged.at("/a"), headers=headers),
        paged.http.get(paged.at("/a"), headers={"Origin": "https://other.example.com"}),
        paged.http.get(paged.at("/a")),
    ):
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
        assert response.content == b"a"


# The request log


def test_the_log_shows_where_a_request_went(
    gateway: LiveStub, backend: Backend, world: str
) -> None:
    gateway.control("GET", "/health", world=world)
    response = gateway.http.put(gateway.at("/a%20b?token=secret", world), content=b"secret")
    (entry,) = entries(gateway, world)
    assert entry["id"] == response.headers["X-Request-Id"]
    assert (entry["method"], entry["path"], entry["code"]) == ("PUT", "/a b", 200)
    assert entry["forwarded_to"] == f"{backend.url}/base/a%20b"
    assert (entry["status"], entry["params"], entry["answer"]) == (None, None, {})
    assert entry["explanation"]["summary"] == (
        f"Forwarded to {backend.url}/base/a%20b; no rule was checked here."
    )
    assert "secret" not in json.dumps(entry)


def test_the_log_shows_the_id_that_the_backend_gave(
    gateway: LiveStub, backend: Backend, world: str
) -> None:
    backend.answer = lambda exchange: exchange.respond(b"", "X-Request-Id: of-the-backend")
    gateway.control("GET", "/health", world=world)
    gateway.http.get(gateway.at("/a", world))
    found = gateway.control("GET", "/requests/of-the-backend", world=world).json()
    assert found["path"] == "/a"


@pytest.mark.usefixtures("backend")
def test_a_forwarded_request_creates_no_world(gateway: LiveStub, world: str) -> None:
    assert gateway.http.get(gateway.at("/a", world)).status_code == 200
    assert world not in [each["name"] for each in gateway.control("GET", "/worlds").json()]
