"""The limit of the body's size, byte by byte over a raw socket."""

import socket
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection

import pytest
from support.limits import LIMIT
from support.live import Live, encoded, registration

from clients_register.handlers.app import MAX_DRAINED
from clients_register.handlers.settings import Settings

MAX_BODY = Settings().max_body


def padded(email: str, size: int) -> bytes:
    """A valid body of `size` bytes: white space counts, and changes nothing."""
    return encoded(registration(email)).ljust(size, b"\n")


def sent(live: Live, body: bytes, pieces: int = 1, *, chunked: bool = False) -> tuple[int, bytes]:
    """Code and body of the answer to `body`, written in `pieces` before anything is read."""
    with closing(HTTPConnection(live.origin.removeprefix("http://"), timeout=LIMIT)) as connection:
        connection.putrequest("POST", "/api/v1/clients/register")
        connection.putheader("Content-Type", "text/plain")
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        else:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        step = -(-len(body) // pieces)
        for start in range(0, len(body), step):
            piece = body[start : start + step]
            connection.send(framed(piece) if chunked else piece)
        if chunked:
            connection.send(b"0\r\n\r\n")
        with connection.getresponse() as answer:
            return answer.status, answer.read()


def framed(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def test_the_limit_is_64_kib() -> None:
    assert MAX_BODY == 65_536


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("pieces", [1, 7])
def test_a_body_at_the_limit_is_accepted(
    shared: Live, email: str, pieces: int, chunked: bool
) -> None:
    code, _ = sent(shared, padded(email, MAX_BODY), pieces, chunked=chunked)
    assert code == 200


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("excess", [1, 1000, MAX_DRAINED])
def test_a_body_over_the_limit_is_refused_and_the_caller_reads_why(
    shared: Live, email: str, excess: int, chunked: bool
) -> None:
    answer = sent(shared, padded(email, MAX_BODY + excess), pieces=9, chunked=chunked)
    assert answer == (400, b'{"code":400,"status":"invalid-encoded-params"}')


def test_the_connection_serves_on_after_a_body_over_the_limit(shared: Live) -> None:
    shared.send(b" " * (MAX_BODY + 1))
    assert shared.send(b"").json()["status"] == "no-params-decoded"


def test_an_endless_body_ends_the_connection(shared: Live) -> None:
    host, _, port = shared.origin.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=LIMIT) as connection:
        connection.sendall(
            b"POST /api/v1/clients/register HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        # Bounded: sixteen times as much as the server may take.
        endless = framed(b" " * MAX_BODY) * (16 * (MAX_BODY + MAX_DRAINED) // MAX_BODY)
        with pytest.raises(ConnectionError):
            connection.sendall(endless)


def test_the_limit_is_a_setting(start: Callable[..., Live], email: str) -> None:
    live = start(max_body=400)
    assert sent(live, padded(email, 401))[0] == 400
    assert sent(live, padded(email, 400))[0] == 200


def test_a_wrong_content_type_is_told_before_the_size(shared: Live) -> None:
    answer = shared.send(b" " * (MAX_BODY + 1), "application/json").json()
    assert answer["status"] == "invalid-content-type"


def test_the_size_is_told_for_no_other_route(shared: Live) -> None:
    answer = shared.http.post(shared.origin, content=b" " * (MAX_BODY + 1)).json()
    assert answer["status"] == "route-non-existent"


def test_a_caller_who_leaves_early_disturbs_nobody(shared: Live) -> None:
    host, _, port = shared.origin.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=LIMIT) as connection:
        connection.sendall(
            b"POST /api/v1/clients/register HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
            b"Content-Length: 1000\r\n\r\nabc"
        )
    assert shared.send(b"").json()["status"] == "no-params-decoded"
