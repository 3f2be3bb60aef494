"""The oracle decodes bytes without any server."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients_register.conformance.fuzz.request_decoding import (
    BODY_LIMIT,
    MEDIA_TYPE,
    decode_base64,
    decode_request,
)

PLAIN = (("Content-Type", "text/plain"),)
BODY = base64.b64encode(b'{"a":1}')


def facts(headers: tuple[tuple[str, str], ...] = PLAIN, body: bytes = BODY) -> list[str]:
    return [each.rule for each in decode_request(headers, body).broken]


@given(st.binary())
def test_what_python_encodes_is_unpacked(data: bytes) -> None:
    assert decode_base64(base64.b64encode(data)) == data


@pytest.mark.parametrize("text", [b"e30", b"e30==", b"e3===", b"e30=e30=", b"e-_=", b"e30*", b"="])
def test_what_is_no_base64_is_not_unpacked(text: bytes) -> None:
    assert decode_base64(text) is None


def test_bits_behind_the_last_byte_do_not_matter() -> None:
    assert decode_base64(b"e31=") == decode_base64(b"e30=") == b"{}"


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"{", "body_is_json"),
        (b"\xff", "body_is_json"),
        (b"[]", "params_are_passed"),
        (b"{}", "params_are_passed"),
        (b"null", "params_are_passed"),
        (b" ", "body_is_json"),
        (b"[" * 1025 + b"]" * 1025, "body_is_json"),
    ],
)
def test_a_body_that_holds_no_params_breaks_one_fact(content: bytes, fact: str) -> None:
    assert fact in facts(body=base64.b64encode(content))


@pytest.mark.parametrize("body", [b"", b" \r\n\t\v\f"])
def test_nothing_is_no_params_and_no_bad_base64(body: bytes) -> None:
    assert facts(body=body) == ["params_are_passed"]


def test_white_space_anywhere_is_nothing() -> None:
    assert decode_request(PLAIN, b"\n".join(bytes([each]) for each in BODY)).value == {"a": 1}


def test_the_limit_is_of_the_raw_body() -> None:
    assert facts(body=BODY + b"\n" * (BODY_LIMIT - len(BODY))) == []
    assert facts(body=BODY + b"\n" * (BODY_LIMIT + 1 - len(BODY))) == ["body_is_within_the_limit"]


@pytest.mark.parametrize(
    ("declared", "right"),
    [
        ("text/plain", True),
        ("TEXT/Plain ; charset=x", True),
        ("\ttext/plain;", True),
        ("text/plainer", False),
        ("text/plain, text/html", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_the_media_type_is_what_stands_before_the_semicolon(declared: str, right: bool) -> None:
    assert (facts(headers=(("content-type", declared),)) == []) is right


def test_a_missing_type_and_a_coding_are_faults() -> None:
    assert facts(headers=()) == ["content_type_is_accepted"]
    assert facts(headers=(*PLAIN, ("Content-Encoding", "gzip"))) == ["content_type_is_accepted"]
    assert facts(headers=(*PLAIN, ("Content-Encoding", "identity"))) == []


@pytest.mark.parametrize(("depth", "uncertain"), [(64, []), (65, [True]), (1024, [True])])
def test_between_the_depths_a_server_is_free(depth: int, uncertain: list[bool]) -> None:
    content = json.dumps({"a": 0}).replace("0", "[" * (depth - 1) + "]" * (depth - 1)).encode()
    faults = decode_request(PLAIN, base64.b64encode(content)).broken
    assert [each.uncertain for each in faults] == uncertain


def test_repeated_headers_leave_it_open() -> None:
    (fault,) = decode_request((*PLAIN, *PLAIN), BODY).broken
    assert fault.uncertain


def test_the_media_type_is_that_of_the_spec() -> None:
    assert MEDIA_TYPE == "text/plain"
