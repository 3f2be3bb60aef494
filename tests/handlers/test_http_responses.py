"""HTTP connections frame responses, keep their order, and wait for slow clients."""

from collections.abc import Sequence

import pytest
from starlette.types import Message
from support.connection import GET, LENGTH, PLAIN, POST, Client, body, respond, start

from clients_register.handlers.http.cycle import MAX_WRITTEN

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
