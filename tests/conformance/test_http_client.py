"""The raw client, against servers whose every byte is written here."""

import asyncio
from contextlib import suppress

import pytest
from support.limits import controlled
from support.servers import counted, saying, serving

from clients_register.conformance.http_client import HttpClient, HttpRequest, NoResponse

POST = HttpRequest("POST", "/some?query=1", (("X-One", "1"),), b"body")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_request_is_sent_byte_for_byte() -> None:
    heard: list[bytes] = []
    async with serving(saying(OK, heard=heard)) as origin, HttpClient(origin) as wire:
        answer = await wire.send(POST)
    host = origin.removeprefix("http://").encode()
    assert heard == [
        b"POST /some?query=1 HTTP/1.1\r\nHost: " + host + b"\r\nX-One: 1\r\n"
        b"Content-Length: 4\r\n\r\nbody"
    ]
    assert (answer.code, answer.body, answer.header("CONTENT-length")) == (200, b"ok", "2")
    assert answer.raw_head == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    assert answer.header("X-Other") is None


@pytest.mark.parametrize(
    ("header", "chunked"),
    [
        ("HOST: else.where", None),
        ("content-LENGTH: 4", None),
        ("Transfer-Encoding: chunked", None),
        ("transfer-encoding: chunked", 9),
    ],
)
async def test_headers_of_the_request_take_the_place_of_added_ones(
    header: str, chunked: int | None
) -> None:
    heard: list[bytes] = []
    name, _, value = header.partition(": ")
    own = HttpRequest("POST", "/", ((name, value),), b"", chunked)
    async with serving(saying(OK, heard=heard)) as origin, HttpClient(origin) as wire:
        await wire.send(own)
    lines = heard[0].decode().split("\r\n")
    assert header in lines
    assert len([line for line in lines if line.lower().startswith(name.lower())]) == 1


async def test_a_body_goes_in_chunks_where_it_is_asked_for() -> None:
    heard = bytearray()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(OK)

    async with serving(talk) as origin, HttpClient(origin) as wire:
        await wire.send(HttpRequest("POST", "/", (), b"abcde", chunked=2))
    assert heard.endswith(
        b"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n1\r\ne\r\n0\r\n\r\n"
    )


async def test_a_connection_is_used_again_until_the_server_closes_it() -> None:
    talk, opened = counted(saying(OK, OK))
    async with serving(talk) as origin, HttpClient(origin) as wire:
        for _ in range(5):
            await wire.send(POST)
    assert len(opened) == 3


async def test_a_connection_that_the_request_ends_is_not_used_again() -> None:
    talk, opened = counted(saying(OK, OK))
    closing = HttpRequest("POST", "/", (("connection", "Close"),), b"")
    async with serving(talk) as origin, HttpClient(origin) as wire:
        await wire.send(closing)
        await wire.send(POST)
    assert len(opened) == 2


async def test_a_client_with_own_connections_shares_none() -> None:
    talk, opened = counted(saying(OK, OK))
    async with (
        serving(talk) as origin,
        HttpClient(origin) as wire,
        wire.with_own_connections() as other,
    ):
        for client in (wire, other, wire, other):
            await client.send(POST)
    assert len(opened) == 2


async def test_a_connection_that_ended_while_idle_is_not_used_again() -> None:
    idle, ended = asyncio.Event(), asyncio.Event()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await saying(OK)(reader, writer)
        await idle.wait()
        writer.close()
        await writer.wait_closed()
        ended.set()

    talk, opened = counted(once)
    async with serving(talk) as origin, HttpClient(origin) as wire:
        await wire.send(POST)
        idle.set()
        await ended.wait()
        await wire.send(POST)
    assert len(opened) == 2


@pytest.mark.parametrize("method", ["HEAD", "POST"])
async def test_what_came_unasked_is_not_the_next_answer(method: str) -> None:
    talk, opened = counted(saying(OK + b"HTTP/1.1 500 Unasked\r\n\r\n", OK))
    async with serving(talk) as origin, HttpClient(origin) as wire:
        first = await wire.send(HttpRequest(method, "/", (), b""))
        second = await wire.send(POST)
    assert (first.code, second.code, len(opened)) == (200, 200, 2)


@pytest.mark.parametrize(
    ("method", "raw", "surplus"),
    [
        ("POST", OK, b""),
        ("POST", OK + b"\r\n", b"\r\n"),
        ("POST", OK.replace(b"h: 2", b"h: 1"), b"k"),
        ("HEAD", OK, b"ok"),
        ("OPTIONS", b"HTTP/1.1 204 No Content\r\n\r\nok", b"ok"),
    ],
)
async def test_bytes_after_a_response_are_part_of_it(
    method: str, raw: bytes, surplus: bytes
) -> None:
    async with serving(saying(raw)) as origin, HttpClient(origin) as wire:
        answer = await wire.send(HttpRequest(method, "/", (), b""))
    assert answer.surplus == surplus


async def test_a_post_is_sent_once_though_its_connection_is_closed() -> None:
    heard: list[bytes] = []
    async with serving(saying(OK, b"", heard=heard)) as origin, HttpClient(origin) as wire:
        await wire.send(POST)
        with pytest.raises(NoResponse) as failure:
            await wire.send(POST)
    assert (failure.value.kind, len(heard)) == ("closed", 2)


@pytest.mark.parametrize("chunked", [None, 1000])
async def test_an_answer_before_the_end_of_the_body_is_seen(chunked: int | None) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n")
        await asyncio.sleep(0)
        # Closing now, with most of the body unread, resets the connection.
        writer.write(b"\r\nno")

    large = HttpRequest("POST", "/", (), b"x" * 1_000_000, chunked)
    async with serving(talk) as origin, HttpClient(origin) as wire:
        for _ in range(20):
            answer = await wire.send(large)
            assert (answer.code, answer.body) == (413, b"no")


async def test_a_connection_with_an_unfinished_body_is_let_go() -> None:
    answered, ended = asyncio.Event(), asyncio.Event()

    async def lazy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        if not answered.is_set():
            # Neither reads on nor hangs up before the client has its answer.
            await answered.wait()
            with suppress(ConnectionResetError):
                await reader.read()
            ended.set()

    talk, opened = counted(lazy)
    async with serving(talk) as origin, HttpClient(origin) as wire:
        assert (await wire.send(HttpRequest("POST", "/", (), b"x" * 8_000_000))).code == 200
        answered.set()
        await ended.wait()
        assert (await wire.send(HttpRequest("POST", "/", (), b""))).code == 200
    assert len(opened) == 2


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", "closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "closed"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not-http"),
    ],
)
async def test_what_is_no_answer_is_told(raw: bytes, kind: str) -> None:
    async with serving(saying(raw)) as origin, HttpClient(origin) as wire:
        with pytest.raises(NoResponse) as failure:
            await wire.send(POST)
    assert failure.value.kind == kind


async def test_a_server_that_says_nothing_is_given_up() -> None:
    with controlled(10) as limit:

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            limit.expire()
            await reader.read()

        async with serving(talk) as origin, HttpClient(origin, timeout=10) as wire:
            with pytest.raises(NoResponse, match="within 10 seconds") as failure:
                await wire.send(POST)
    assert failure.value.kind == "time-out"


async def test_a_request_that_cannot_be_written_opens_no_connection() -> None:
    talk, opened = counted(saying(OK))
    async with serving(talk) as origin, HttpClient(origin) as wire:
        with pytest.raises(ValueError, match="surrogates"):
            await wire.send(HttpRequest("POST", "/", (("X", "\ud800"),), b""))
    assert not opened


async def test_no_more_connections_are_open_than_allowed() -> None:
    open_now = most = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        try:
            await saying(*[OK] * 20)(reader, writer)
        finally:
            open_now -= 1

    async with serving(talk) as origin, HttpClient(origin, connections=3) as wire:
        await asyncio.gather(*(wire.send(POST) for _ in range(20)))
    assert most == 3
