"""How an HTTP connection ends: its client leaves, the server stops, or a deadline passes."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable

import pytest
from starlette.types import Message, Receive, Scope, Send
from support.connection import (
    CHUNKED,
    GET,
    PLAIN,
    POST,
    Client,
    Gate,
    body,
    echo,
    respond,
    start,
)

from clients_register.handlers.http.connection import MAX_PARSED
from clients_register.handlers.http.cycle import MAX_UNREAD, MAX_WRITTEN

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


async def test_a_client_that_has_reset_the_connection_cannot_be_told_of_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = Gate()
    client = Client(gate)
    await client.send(GET + b"nonsense")

    def write_eof() -> None:
        raise OSError(errno.ENOTCONN, "not connected")

    client.transport.write_eof = write_eof  # type: ignore[method-assign]
    gate.open()
    await client.settle()
    assert client.codes == [200, 400]
    assert caplog.messages == []
    client.disconnect()


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
