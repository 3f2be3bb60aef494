"""The second server's way with bytes: what it reads, and the freedoms it takes in answering."""

import json
import socket
from base64 import b64encode

import pytest
from support.limits import LIMIT
from support.servers import (
    PASSWORD,
    ROUTE,
    STATUSES,
    Reply,
    Second,
    fresh,
    is_refused,
    packed,
    succeeded,
)

from clients_register.spec.statuses import load_statuses

MIB = 1 << 20


def valid() -> dict[str, object]:
    return {"application": "planoauth", "client": {"email": fresh(), "password": PASSWORD}}


def text(content: str, second: Second) -> Reply:
    """POSTs `content`, encoded, with `REST` in place of the members of a valid registration."""
    members = json.dumps(valid())[1:-1]
    return second.send(b64encode(content.replace("REST", members).encode("utf-8", "surrogatepass")))


def raw(second: Second, sent: bytes) -> bytes:
    """All that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", second.port), timeout=LIMIT) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def head(**headers: object) -> bytes:
    """The head of a POST to the route."""
    sent = {"Host": "second", "Content-Type": "text/plain", "Accept-Encoding": "identity"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = [f"POST {ROUTE} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    "content",
    [
        "{REST}",
        '{"n": -0.0e-9999, REST}',
        '{"n": 1e99999, REST}',
        f'{{"n": {"7" * 9000}, REST}}',
        f'{{"n": {"[" * 63}{"]" * 63}, REST}}',
        f'{{"n": "{"[" * 999}", REST}}',
        r'{"n": "\ud83d\ude00 \\ud800", REST}',
        r'{"\u0061pplication": 7, "application": null, REST}',
        ' \r\n\t{"client.email": 1, "extra": {"client": null}, REST} ',
    ],
)
def test_json_that_is_read(second: Second, content: str) -> None:
    assert succeeded(text(content, second))


@pytest.mark.parametrize(
    "content",
    [
        " ",
        "{REST",
        '{"n": NaN, REST}',
        '{"n": -Infinity, REST}',
        '{"n": 01, REST}',
        '{"n": "\t", REST}',
        r'{"n": "\ud800", REST}',
        r'{"n": "\udc00\ud800", REST}',
        r'{"n": "\\\ud800", "n": 1, REST}',
        '{"n": "\ud800", REST}',
        "\ufeff{REST}",
        f'{{"n": {"[" * 1024}{"]" * 1024}, REST}}',
    ],
)
def test_json_that_is_none(second: Second, content: str) -> None:
    assert is_refused(text(content, second), "body_is_json")


@pytest.mark.parametrize("content", ["{}", "null", "[{REST}]", "1", '""'])
def test_json_without_parameters(second: Second, content: str) -> None:
    assert is_refused(text(content, second), "params_are_passed")


def test_base64_is_read_whatever_white_space_is_in_it(second: Second) -> None:
    body = b"\t\n\v\f\r ".join(bytes([byte]) for byte in packed(valid()))
    assert succeeded(second.send(body))


@pytest.mark.parametrize(
    "body", [b"e30", b"e30==", b"e=30", b"e30=e30=", b"-_8=", b"====", b"\xff"]
)
def test_base64_that_is_none(second: Second, body: bytes) -> None:
    assert is_refused(second.send(body), "body_is_base64")


def test_base64_with_pad_bits(second: Second) -> None:
    assert is_refused(second.send(b"e31="), "params_are_passed")


@pytest.mark.parametrize("declared", ["Text/PLAIN", " text/plain ;charset=latin-1", "text/plain;"])
def test_a_media_type_that_is_right(second: Second, declared: str) -> None:
    assert succeeded(second.send(packed(valid()), Content_Type=declared))


@pytest.mark.parametrize(
    "headers", [{"Content_Type": ""}, {"Content_Type": "text/plain2"}, {"Content_Encoding": "gzip"}]
)
def test_a_media_type_that_is_wrong(second: Second, headers: dict[str, str]) -> None:
    assert is_refused(second.send(packed(valid()), **headers), "content_type_is_accepted")


def test_a_body_in_chunks_and_with_trailers(second: Second) -> None:
    pieces = b"".join(b"1;x=y\r\n%c\r\n" % byte for byte in packed(valid()))
    answer = raw(second, head(Transfer_Encoding="chunked") + pieces + b"0\r\nTrailer: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_body_of_the_limit(second: Second) -> None:
    assert succeeded(second.send(packed(valid()).ljust(65_536)))


@pytest.mark.parametrize("size", [65_537, 65_536 + MIB])
def test_a_body_over_the_limit_is_answered_although_it_is_sent_first(
    second: Second, size: int
) -> None:
    fault = STATUSES.for_rule("body_is_within_the_limit").slug.encode()
    assert fault in raw(second, head(Content_Length=size) + b"e" * size)
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"e" * size)
    assert fault in raw(second, head(Transfer_Encoding="chunked") + chunks)
    # Nor does it wait for what never comes.
    assert fault in raw(second, head(Content_Length=size * 9))


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Length": "-1"},
        {"Content_Length": "1, 2"},
        {"Transfer_Encoding": "gzip"},
        {"Transfer_Encoding": "chunked\r\nX: y"},
    ],
)
def test_bad_framing_is_not_the_contracts(second: Second, headers: dict[str, str]) -> None:
    assert raw(second, head(**headers) + b"x\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_request_without_host_is_refused(second: Second) -> None:
    assert raw(second, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "target",
    ["POST /", "GET /hooks", f"POST /{ROUTE}", f"POST {ROUTE}/", f"POST {ROUTE.upper()}"],
)
def test_another_path_is_no_route(second: Second, target: str) -> None:
    answer = raw(second, f"{target} HTTP/1.0\r\n\r\n".encode())
    assert STATUSES.for_rule("route_exists").slug.encode() in answer
    assert b"chunked" not in answer


def test_the_query_is_ignored_and_a_whole_url_understood(second: Second) -> None:
    assert succeeded(second.send(packed(valid()), path=f"http://second{ROUTE}?token=x"))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_another_method_is_no_route(second: Second, method: str) -> None:
    assert is_refused(second.send(method=method), "route_exists")


def test_a_method_that_nobody_knows_is_not_the_contracts(second: Second) -> None:
    assert second.send(method="BREW").code == 501


def test_head_has_no_body(second: Second) -> None:
    reply = second.send(method="HEAD")
    assert (reply.code, reply.body) == (STATUSES.for_rule("route_exists").code, b"")


def test_the_freedoms_of_an_answer(second: Second) -> None:
    email = fresh()
    replies = [second.register(email) for _ in range(2)]
    first, other = (dict(reply.headers) for reply in replies)
    assert all(name == name.lower() for name in first)
    assert first["x-request-id"] != other["x-request-id"]
    assert first["transfer-encoding"] == "chunked"
    assert first["connection"] == "close"
    assert first["content-type"] == "application/json;charset=utf-8"
    keys = list(replies[0].envelope)
    assert keys == sorted(keys, reverse=True)
    assert replies[1].slug == load_statuses().aliases[0].slug
