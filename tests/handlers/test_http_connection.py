"""One HTTP connection: what is read from it, and what is written to it, without a network."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from clients_register.handlers.http.connection import MAX_PARSED, Connection, ConnectionConfig
from clients_register.handlers.http.cycle import MAX_UNREAD, MAX_WRITTEN
from clients_register.handlers.http.deadlines import ConnectionLimits

DATE = (b"date", b"Thu, 01 Jan 2026 00:00:00 GMT")
LIMITS = ConnectionLimits(max_head=8192, receive_timeout=30, idle_timeout=75)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

App = Callable[[Scope, Receive, Send], Awaitable[None]]


def start(*headers: tuple[bytes, bytes], status: int = 400) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(content: bytes = b"hello", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


LENGTH = (b"content-length", b"5")
PLAIN = [start((b"x", b"1"), LENGTH), body()]


class MemoryTransport(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.end: str | None = None
        self.reading = True
        # Whether the next write fills the buffer.
        self.fills = False
        self.protocol: Connection

    @property
    def written(self) -> bytes:
        return b"".join(self.writes)

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))
        if self.fills:
            self.fills = False
            self.protocol.pause_writing()

    def write_eof(self) -> None:
        self.end = "half-closed"

    def is_closing(self) -> bool:
        return self.end in ("closed", "aborted")

    def close(self) -> None:
        self.end = "closed"

    def abort(self) -> None:
        self.end = "aborted"

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Client:
    """The other end of a connection to `app`."""

    def __init__(self, app: App, limits: ConnectionLimits = LIMITS) -> None:
        self._state = ServerState()
        self._state.default_headers = [DATE]
        config = ConnectionConfig(app, limits, lifespan="off", log_config=None)
        config.load()
        self.transport = MemoryTransport()
        self.connection = Connection(config=config, server_state=self._state, app_state={})
        self.transport.protocol = self.connection
        self.connection.connection_made(self.transport)

    async def send(self, *parts: bytes) -> None:
        """Sends `parts`, each when everything that the previous one caused has happened."""
        for part in parts:
            self.connection.data_received(part)
            await self.settle()

    async def settle(self) -> None:
        """Waits until nothing happens any more."""
        for _ in range(100):
            await asyncio.sleep(0)

    async def half_close(self) -> None:
        if not self.connection.eof_received():
            self.transport.close()
        await self.settle()

    def disconnect(self) -> None:
        self.transport.abort()
        self.connection.connection_lost(None)

    @property
    def codes(self) -> list[int]:
        """The codes of all responses."""
        return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.transport.written)]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Responds with method, target and body of the request."""
    content = b""
    while (message := await receive())["type"] == "http.request":
        content += message["body"]
        if not message["more_body"]:
            break
    else:
        return
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    content = b"%b %b%b %b" % (scope["method"].encode(), scope["raw_path"], query, content)
    await send(start((b"content-length", str(len(content)).encode()), status=200))
    await send(body(content))


def respond(*messages: Message) -> App:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


class Gate:
    """An application that begins to respond when it is opened."""

    def __init__(self) -> None:
        self._opened = asyncio.Event()
        self.calls = 0

    def open(self) -> None:
        self._opened.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        await self._opened.wait()
        await echo(scope, receive, send)


# Responses

HEAD = b"date: Thu, 01 Jan 2026 00:00:00 GMT\r\nx: 1\r\n"

# Name -> request, messages of the application, response after the status line, whether it is last.
RESPONSES: dict[str, tuple[bytes, Sequence[Message], bytes, bool]] = {
    "plain": (POST, PLAIN, HEAD + b"content-length: 5\r\n\r\nhello", False),
    "without a length": (
        POST,
        [start((b"x", b"1")), body()],
        HEAD + b"content-length: 5\r\n\r\nhello",
        False,
    ),
    "in parts": (
        POST,
        [start((b"x", b"1"), LENGTH), body(b"he", more=True), body(b"llo")],
        HEAD + b"content-length: 5\r\n\r\nhello",
        False,
    ),
    "in parts without a length": (
        POST,
        [start((b"x", b"1")), body(b"he", more=True), body(b"", more=True), body(b"llo")],
        HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        False,
    ),
    "without a body": (
        POST,
        [start((b"x", b"1"), status=204), {"type": "http.response.body"}],
        HEAD + b"\r\n",
        False,
    ),
    "the last one": (
        POST,
        [start((b"x", b"1"), LENGTH, (b"connection", b"close")), body()],
        HEAD + b"content-length: 5\r\nconnection: close\r\n\r\nhello",
        True,
    ),
    "to HEAD": (b"HEAD" + GET[3:], PLAIN, HEAD + b"content-length: 5\r\n\r\n", False),
    "to Connection: close": (
        POST.replace(b"Host", b"Connection: close\r\nHost"),
        PLAIN,
        HEAD + b"content-length: 5\r\nconnection: close\r\n\r\nhello",
        True,
    ),
    "to HTTP/1.0": (
        b"GET / HTTP/1.0\r\n\r\n",
        PLAIN,
        HEAD + b"content-length: 5\r\nconnection: close\r\n\r\nhello",
        True,
    ),
    "to HTTP/1.0 in parts": (
        b"GET / HTTP/1.0\r\n\r\n",
        [start((b"x", b"1")), body(b"he", more=True), body(b"llo")],
        HEAD + b"connection: close\r\n\r\nhello",
        True,
    ),
}


@pytest.mark.parametrize("name", RESPONSES)
async def test_a_response_is_delimited_as_its_request_allows(name: str) -> None:
    request, messages, expected, is_last = RESPONSES[name]
    client = Client(respond(*messages))
    await client.send(request)
    status_line, _, rest = client.transport.written.partition(b"\r\n")
    assert status_line == b"HTTP/1.1 %d " % messages[0]["status"] + status_line[13:]
    assert rest == expected
    assert client.transport.end == ("closed" if is_last else None)


async def test_a_response_of_one_part_is_written_at_once() -> None:
    client = Client(respond(*PLAIN))
    await client.send(POST)
    assert len(client.transport.writes) == 1


@pytest.mark.parametrize("value", [b"1\r\ny: 2", b"1\ny: 2", b"1\ry: 2"])
async def test_a_header_with_a_line_break_is_never_sent(
    value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(respond(start((b"x", value), LENGTH), body()))
    await client.send(POST)
    assert (client.transport.written, client.transport.end) == (b"", "aborted")
    assert "line break" in caplog.text


@pytest.mark.parametrize("content", [b"hell", b"hello!"])
async def test_a_body_of_another_length_than_announced_is_never_sent(
    content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(respond(start(LENGTH), body(content)))
    await client.send(POST)
    assert (client.transport.written, client.transport.end) == (b"", "aborted")
    assert "does not have the length" in caplog.text


async def test_a_response_that_was_not_sent_yet_can_be_replaced() -> None:
    client = Client(respond(start(status=200), start(status=500), body()))
    await client.send(POST)
    assert client.codes == [500]


@pytest.mark.parametrize("messages", [[], [start()], [start(), body(more=True)]])
async def test_an_application_that_does_not_complete_a_response_loses_its_connection(
    messages: list[Message],
) -> None:
    client = Client(respond(*messages))
    await client.send(POST)
    assert client.transport.end == "aborted"


async def test_a_request_of_which_not_all_was_read_is_the_last_one() -> None:
    client = Client(respond(*PLAIN))
    await client.send(POST[:-1])
    assert b"connection: close\r\n" in client.transport.written
    assert client.transport.end == "half-closed"
    await client.send(POST[-1:] + POST)
    assert client.codes == [400]


async def test_a_part_waits_until_the_client_has_read_what_precedes_it() -> None:
    client = Client(respond(start(), body(b"a", more=True), body(b"b", more=True), body(b"c")))
    client.transport.fills = True
    await client.send(GET)
    assert client.transport.written.endswith(b"1\r\na\r\n")
    client.connection.resume_writing()
    await client.settle()
    assert client.transport.written.endswith(b"1\r\nb\r\n1\r\nc\r\n0\r\n\r\n")


# Requests

UPGRADES = [
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    b"Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n",
    b"Upgrade: TLS/1.2\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n",
    b"Upgrade: h2c\r\n",
    b"Connection: upgrade\r\n",
]

# Requests and their responses by `echo`.
REQUESTS = [
    (GET, b"GET / "),
    (POST, b"POST / hello"),
    (CHUNKED + b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: x\r\n\r\n", b"POST / hello"),
    (b"\r\nGET /a%20b?c=d#e HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", b"GET /a%20b?c=d "),
    (b"GET HTTP://b:80?c HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /?c "),
    (b"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", b"OPTIONS * "),
    (b"GET / HTTP/1.1\r\nHost: localhost:80 \t \r\n\r\n", b"GET / "),
    *(
        (request.replace(b"Host: a\r\n", b"Host: a\r\n" + upgrade), response)
        for upgrade in UPGRADES
        for request, response in [(GET, b"GET / "), (POST, b"POST / hello")]
    ),
]


@given(
    requests=st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=8),
    cuts=st.lists(st.integers(0, 800), max_size=8),
)
def test_each_request_gets_its_response_however_the_bytes_arrive(
    requests: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    async def exchange() -> bytes:
        client = Client(echo)
        sent = b"".join(request for request, _ in requests)
        places = [0, *sorted(cuts), len(sent)]
        await client.send(*(sent[a:b] for a, b in pairwise(places) if a < b))
        await client.settle()
        assert client.transport.end is None
        return client.transport.written

    bodies = re.split(rb"HTTP/1\.1 200 OK\r\n.*?\r\n\r\n", asyncio.run(exchange()), flags=re.DOTALL)
    assert bodies == [b"", *(response for _, response in requests)]


@pytest.mark.parametrize("upgrade", UPGRADES)
async def test_an_offered_upgrade_hides_no_header_but_itself(upgrade: bytes) -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await respond(*PLAIN)(scope, _receive, send)

    await Client(app).send(b"GET / HTTP/1.1\r\nHost: a\r\n" + upgrade + b"Prefer: x\r\n\r\n")
    names = {name for name, _ in scopes[0]["headers"]}
    assert names >= {b"host", b"prefer"}


async def test_requests_of_a_connection_share_nothing_that_an_application_adds_to() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert "added" not in {**scope, **scope["extensions"]}
        scope["added"] = scope["extensions"]["added"] = True
        await echo(scope, receive, send)

    client = Client(app)
    await client.send(GET, GET)
    assert client.codes == [200, 200]


async def test_a_trailer_is_not_a_header() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await echo(scope, receive, send)

    await Client(app).send(CHUNKED + b"1\r\nx\r\n0\r\nPrefer: code=500\r\n\r\n")
    assert [name for name, _ in scopes[0]["headers"]] == [b"host", b"transfer-encoding"]


async def test_the_authority_of_a_target_replaces_the_host() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await echo(scope, receive, send)

    await Client(app).send(b"GET http://evil.test/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert scopes[0]["headers"] == [(b"host", b"evil.test")]


# Name -> what is refused, and with which code.
REFUSED: dict[str, tuple[bytes, int]] = {
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "the same host twice": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    "two hosts in HTTP/1.0": (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "two hosts and a URL": (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    "a host with a path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "a host with a user": (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "a URL with a user": (b"GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n", 400),
    "an address with a name": (b"GET / HTTP/1.1\r\nHost: [::1].b\r\n\r\n", 400),
    "half an address": (b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    "no address": (b"GET / HTTP/1.1\r\nHost: [1:2]\r\n\r\n", 400),
    "a port too high": (b"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400),
    "two ports": (b"GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", 400),
    "a bare name as the target": (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a URL without a host": (b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a URL with a port alone": (b"GET http://:80/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "an asterisk with another method": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a long host": (b"GET / HTTP/1.1\r\nHost: " + b"a" * 256 + b"\r\n\r\n", 400),
    "another transfer coding": (CHUNKED.replace(b"chunked", b"gzip, chunked"), 501),
    "many short headers": (GET[:-2] + b"a:\r\n" * 258, 431),
    "many trailers": (CHUNKED + b"0\r\n" + b"a:\r\n" * 300, 431),
    "another scheme": (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a proxy's request": (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501),
    "HTTP/2 in an old form": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "HTTP/0.9": (b"GET / HTTP/0.9\r\n\r\n", 505),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "an unknown method": (b"FETCH / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "two lengths": (POST.replace(b"Host", b"Content-Length: 4\r\nHost"), 400),
    "a length and chunks": (CHUNKED.replace(b"Host", b"Content-Length: 4\r\nHost"), 400),
    "a chunk without a size": (CHUNKED + b"x\r\n", 400),
    "an upgrade without a host": (b"GET / HTTP/1.1\r\n" + UPGRADES[0] + b"\r\n", 400),
    "a long header": (GET[:-2] + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431),
    "many headers": (GET[:-2] + b"X: y\r\n" * 1500 + b"\r\n", 431),
    "a long header of an upgrade": (GET[:-2] + UPGRADES[0] + b"X: " + b"a" * 9000, 431),
    "a long name": (GET[:-2] + b"a" * 9000, 431),
    "a long URL": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "blank lines without end": (b"\r\n" * 5000, 431),
    "a long extension of a chunk": (CHUNKED + b"1;x=" + b"a" * 13000, 431),
    "a long trailer": (CHUNKED + b"0\r\nX: " + b"a" * 13000, 431),
}


@pytest.mark.parametrize("parts", ["at once", "byte by byte"])
@pytest.mark.parametrize("name", REFUSED)
async def test_a_request_that_http_forbids_is_refused_and_the_last_one(
    name: str, parts: str
) -> None:
    request, code = REFUSED[name]
    client = Client(echo)
    if parts == "at once":
        await client.send(request)
    else:
        for place in range(len(request)):
            client.connection.data_received(request[place : place + 1])
        await client.settle()
    assert client.codes == [code]
    assert b"\r\nconnection: close\r\n" in client.transport.written
    assert client.transport.end == "half-closed"
    await client.send(GET)
    assert client.codes == [code]


@pytest.mark.parametrize("garbage", [b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", CHUNKED + b"x"])
@pytest.mark.parametrize("count", [1, 3])
async def test_requests_before_a_refused_one_get_their_responses_first(
    garbage: bytes, count: int
) -> None:
    gate = Gate()
    client = Client(gate)
    await client.send(POST * count + garbage)
    assert client.codes == []
    gate.open()
    await client.settle()
    assert client.codes == [200] * count + [400]
    assert client.transport.end == "half-closed"


async def test_a_head_of_the_largest_size_is_accepted() -> None:
    request = GET[:-2] + b"X: "
    request += b"a" * (LIMITS.max_head - len(request) - 4) + b"\r\n\r\n"
    client = Client(echo)
    await client.send(request + POST)
    assert client.codes == [200, 200]


async def test_a_large_body_does_not_count_as_a_head() -> None:
    content = b"a" * 100_000
    client = Client(echo)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
    await client.send(head + content + GET)
    await client.settle()
    assert client.codes == [200, 200]


async def test_reading_pauses_while_nothing_of_a_body_is_taken() -> None:
    gate = Gate()
    client = Client(gate)
    content = b"a" * (MAX_UNREAD + 1)
    await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n" + content)
    assert not client.transport.reading
    gate.open()
    await client.settle()
    assert client.transport.reading


async def test_reading_goes_on_after_a_body_that_paused_it() -> None:
    content = b"a" * (MAX_UNREAD + 1)
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n" + content
    for app in (echo, respond(*PLAIN)):
        client = Client(app)
        await client.send(request)
        assert client.transport.reading


async def test_requests_wait_unparsed_behind_a_running_one() -> None:
    gate = Gate()
    client = Client(gate)
    many = 10 * MAX_PARSED // len(GET)
    await client.send(GET * many)
    assert gate.calls == 1
    assert not client.transport.reading
    gate.open()
    while len(client.codes) < many:
        await client.settle()
    assert client.transport.reading


async def test_an_expected_continue_is_sent_once_the_body_is_asked_for() -> None:
    client = Client(echo)
    await client.send(POST[:-5].replace(b"Host", b"Expect: 100-Continue\r\nHost"))
    assert client.transport.written == b"HTTP/1.1 100 Continue\r\n\r\n"
    await client.send(b"hello")
    assert client.codes == [100, 200]


async def test_an_old_client_gets_no_continue() -> None:
    client = Client(echo)
    await client.send(b"POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    await client.send(b"hello")
    assert client.codes == [200]


async def test_a_request_waits_until_the_client_has_read_the_responses_before_it() -> None:
    gate = Gate()
    client = Client(gate)
    gate.open()
    client.connection.pause_writing()
    await client.send(GET * 3)
    assert (gate.calls, client.transport.reading) == (0, False)
    client.connection.resume_writing()
    await client.settle()
    assert client.codes == [200] * 3
    assert client.transport.reading


async def test_a_large_response_waits_for_its_client() -> None:
    content = b"a" * (3 * MAX_WRITTEN)
    length = (b"content-length", str(len(content)).encode())
    client = Client(respond(start(length), body(content)))
    client.transport.fills = True
    await client.send(GET)
    assert len(client.transport.writes) == 1
    client.connection.resume_writing()
    await client.settle()
    assert client.transport.written.endswith(content)
    assert max(map(len, client.transport.writes)) <= MAX_WRITTEN


# Ends


async def test_a_half_closed_connection_gets_all_responses() -> None:
    gate = Gate()
    client = Client(gate)
    await client.send(POST + GET)
    await client.half_close()
    assert client.transport.end is None
    gate.open()
    await client.settle()
    assert client.codes == [200, 200]
    assert client.transport.end == "closed"


async def test_a_connection_half_closed_behind_many_requests_gets_all_responses() -> None:
    gate = Gate()
    client = Client(gate)
    many = 3 * MAX_PARSED // len(GET)
    await client.send(GET * many)
    await client.half_close()
    gate.open()
    while client.transport.end is None:
        await client.settle()
    assert client.codes == [200] * many


@pytest.mark.parametrize("request_", [b"", b"GET", GET, GET + b"GET", POST[:-1]])
async def test_a_connection_half_closed_without_a_request_is_closed(request_: bytes) -> None:
    client = Client(echo)
    await client.send(request_)
    await client.half_close()
    assert client.transport.end == "closed"


async def test_a_request_cut_off_behind_another_is_dropped() -> None:
    gate = Gate()
    client = Client(gate)
    await client.send(GET + POST[:-1])
    await client.half_close()
    gate.open()
    await client.settle()
    assert (client.codes, gate.calls, client.transport.end) == ([200], 1, "closed")


async def test_a_complete_request_is_received_though_its_client_has_gone() -> None:
    received: list[Message] = []
    arrived = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await arrived.wait()
        received.extend([await receive(), await receive()])
        await send(start())
        await send(body())

    client = Client(app)
    await client.send(POST)
    client.disconnect()
    arrived.set()
    await client.settle()
    assert [message["type"] for message in received] == ["http.request", "http.disconnect"]
    assert received[0]["body"] == b"hello"
    assert client.transport.written == b""


async def test_an_incomplete_request_ends_when_its_client_goes() -> None:
    client = Client(echo)
    await client.send(POST[:-1])
    client.disconnect()
    await client.settle()
    assert client.transport.written == b""


async def test_shutdown_closes_idle_connections_and_completes_requests() -> None:
    idle, gate = Client(echo), Gate()
    busy = Client(gate)
    await busy.send(POST + GET)
    for client in (idle, busy):
        client.connection.shutdown()
    assert (idle.transport.end, busy.transport.end) == ("closed", None)
    await busy.send(GET)
    gate.open()
    await busy.settle()
    assert (busy.codes, busy.transport.end) == ([200, 200], "closed")


async def test_shutdown_lets_a_request_arrive_that_has_begun() -> None:
    client = Client(echo)
    await client.send(POST[:-1])
    client.connection.shutdown()
    await client.send(POST[-1:])
    assert (client.codes, client.transport.end) == ([200], "closed")


# Time


@pytest.fixture
async def elapse(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[float], None]]:
    """Moves the time of connections, and runs the timers that are due by then."""
    loop = asyncio.get_running_loop()
    timers: list[tuple[float, Callable[[], None], asyncio.TimerHandle]] = []
    now = 1000.0

    def call_at(when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, (), loop)
        timers.append((when, callback, handle))
        return handle

    monkeypatch.setattr(loop, "time", lambda: now)
    monkeypatch.setattr(loop, "call_at", call_at)

    def elapse(seconds: float) -> None:
        nonlocal now
        end = now + seconds
        while due := [each for each in timers if each[0] <= end and not each[2].cancelled()]:
            first = min(due, key=lambda each: each[0])
            timers.remove(first)
            now = max(now, first[0])
            first[1]()
        now = end

    yield elapse
    monkeypatch.undo()


Elapse = Callable[[float], None]


@pytest.mark.parametrize("sent", [b"GET", GET[:-2], POST[:-1], CHUNKED + b"1\r\nx\r\n"])
async def test_a_request_that_does_not_arrive_in_time_is_refused(
    sent: bytes, elapse: Elapse
) -> None:
    client = Client(echo)
    elapse(70)
    await client.send(sent)
    elapse(29)
    await client.send(b"")
    assert client.codes == []
    elapse(1)
    assert client.codes == [408]
    elapse(5)
    assert client.transport.end == "aborted"


async def test_the_time_of_a_request_does_not_start_again_with_each_byte(elapse: Elapse) -> None:
    client = Client(echo)
    for byte in GET[:25]:
        await client.send(bytes([byte]))
        elapse(1.25)
    assert client.codes == [408]


async def test_an_idle_connection_is_closed(elapse: Elapse) -> None:
    client = Client(echo)
    elapse(74)
    await client.send(GET)
    elapse(74)
    await client.send(GET)
    assert client.transport.end is None
    elapse(75)
    assert client.codes == [200, 200]
    assert client.transport.is_closing()


async def test_a_connection_that_was_never_used_is_closed(elapse: Elapse) -> None:
    client = Client(echo)
    elapse(75)
    assert client.transport.end == "closed"


async def test_a_response_may_take_longer_than_any_limit(elapse: Elapse) -> None:
    gate = Gate()
    client = Client(gate)
    await client.send(POST)
    elapse(1000)
    gate.open()
    await client.settle()
    elapse(74)
    assert (client.codes, client.transport.end) == ([200], None)
    elapse(1)
    assert client.transport.end == "closed"


async def test_a_body_has_its_time_once_it_is_asked_for(elapse: Elapse) -> None:
    gate = Gate()
    client = Client(gate)
    content = b"a" * (MAX_UNREAD + 1)
    await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65538\r\n\r\n" + content)
    elapse(1000)
    gate.open()
    await client.settle()
    elapse(29)
    await client.send(b"a")
    assert client.codes == [200]


@pytest.mark.parametrize("sent", [b"", GET, GET * 3, POST[:-1]])
async def test_a_client_that_does_not_read_is_disconnected(elapse: Elapse, sent: bytes) -> None:
    client = Client(respond(start(), body(more=True), body()))
    await client.send(GET)
    client.connection.pause_writing()
    elapse(15)
    await client.send(sent)
    elapse(15)
    assert client.transport.end == "aborted"


async def test_a_client_that_reads_slowly_stays_connected(elapse: Elapse) -> None:
    client = Client(respond(start(), *[body(b"a", more=True)] * 5, body()))
    for _ in range(5):
        client.connection.pause_writing()
        await client.send(GET)
        elapse(29)
        client.connection.resume_writing()
        await client.settle()
    assert client.transport.end is None


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.0\r\n\r\n", GET, POST[:-1]])
async def test_a_connection_that_is_closing_ends_though_its_client_does_not_read(
    elapse: Elapse, request_: bytes
) -> None:
    client = Client(respond(*PLAIN))
    await client.send(request_)
    await client.half_close()
    assert client.transport.end == "closed"
    elapse(30)
    assert client.transport.end == "aborted"


async def test_a_running_request_is_responded_to_though_another_was_cut_off(
    elapse: Elapse,
) -> None:
    gate = Gate()
    client = Client(gate)
    await client.send(GET + GET[:9])
    await client.half_close()
    elapse(60)
    gate.open()
    await client.settle()
    assert client.codes == [200]


async def test_a_refusal_is_sent_though_the_client_has_half_closed() -> None:
    gate = Gate()
    client = Client(gate)
    await client.send(GET + b"GARBAGE\r\n\r\n")
    await client.half_close()
    gate.open()
    await client.settle()
    assert client.codes == [200, 400]
    assert client.transport.end == "closed"


async def test_a_client_that_sends_on_after_a_refusal_is_disconnected() -> None:
    client = Client(echo)
    await client.send(b"GARBAGE\r\n\r\n")
    await client.send(*[b"a" * 256 * 1024] * 4)
    assert client.transport.end == "half-closed"
    await client.send(b"a")
    assert client.transport.end == "aborted"


async def test_a_large_response_ends_with_its_client(caplog: pytest.LogCaptureFixture) -> None:
    content = b"a" * (3 * MAX_WRITTEN)
    client = Client(respond(start((b"content-length", str(len(content)).encode())), body(content)))
    client.transport.fills = True
    await client.send(GET)
    client.disconnect()
    await client.settle()
    assert len(client.transport.writes) == 1
    assert caplog.messages == []
