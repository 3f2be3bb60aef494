"""HTTP connections parse requests however they are split, and refuse invalid ones."""

import asyncio
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from support.connection import CHUNKED, GET, LIMITS, PLAIN, POST, Client, Gate, echo, respond

from clients_register.handlers.http.connection import MAX_PARSED
from clients_register.handlers.http.cycle import MAX_UNREAD

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
