"""Bodies of responses: what is decoded, and which deviations from the standards are reported."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clients_register.conformance.grades import Grade, grade_of
from clients_register.conformance.http_client import HttpResponse
from clients_register.conformance.http_parser import MAX_BODY
from clients_register.conformance.response import (
    ABSENT,
    MAX_DEPTH,
    ResponseBody,
    accepts_coding,
    parse_body,
)

DOCUMENT = {"code": 200, "status": "é"}
TEXT = json.dumps(DOCUMENT, ensure_ascii=False)
PLAIN = TEXT.encode()
CODING, ENCODING = "header Content-Encoding", "character encoding"


def compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def decoded(body: bytes, *codings: str) -> ResponseBody:
    headers = tuple(("Content-Encoding", each) for each in codings)
    return parse_body(HttpResponse(200, headers, body, 0.0, b""))


def found(body: ResponseBody) -> list[tuple[str, Grade]]:
    return [(each.what, grade_of(each.part)) for each in body.deviations]


def raw_deflate(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(content) + compressor.flush()


@pytest.mark.parametrize(
    ("body", "codings"),
    [
        (PLAIN, ()),
        (compressed(PLAIN), ("gzip",)),
        (compressed(PLAIN), ("GZIP",)),
        (compressed(PLAIN), ("x-gzip",)),
        (compressed(PLAIN[:5]) + compressed(PLAIN[5:]), ("gzip",)),
        (compressed(PLAIN) + compressed(b"") * 99, ("gzip",)),
        (zlib.compress(PLAIN), ("deflate",)),
        (compressed(zlib.compress(PLAIN)), ("deflate, gzip",)),
        (compressed(zlib.compress(PLAIN)), ("deflate", "gzip")),
    ],
)
def test_a_content_coding_is_removed(body: bytes, codings: tuple[str, ...]) -> None:
    result = decoded(body, *codings)
    assert (result.content, result.document, found(result)) == (PLAIN, DOCUMENT, [])


@pytest.mark.parametrize(
    ("body", "coding", "received", "document"),
    [
        (compressed(PLAIN)[:-1], "gzip", "an end within the compressed data", DOCUMENT),
        (compressed(PLAIN)[:20], "gzip", "an end within the compressed data", ABSENT),
        (compressed(PLAIN)[:-8] + bytes(8), "gzip", "incorrect data check", ABSENT),
        (compressed(PLAIN) + b"more", "gzip", "incorrect header check", DOCUMENT),
        (compressed(PLAIN) + compressed(b"") * 100, "gzip", "more than 100 compressed", DOCUMENT),
        (PLAIN, "gzip", "incorrect header check", DOCUMENT),
        (compressed(bytes(MAX_BODY + 1)), "gzip", f"more than {MAX_BODY} bytes", ABSENT),
        (raw_deflate(PLAIN), "deflate", "incorrect header check", DOCUMENT),
        (PLAIN, "utf-8", "utf-8", DOCUMENT),
    ],
)
def test_a_broken_or_unknown_content_coding_is_a_violation(
    body: bytes, coding: str, received: str, document: Any
) -> None:
    result = decoded(body, coding)
    assert found(result) == [(CODING, Grade.DOCUMENTED), *found(decoded(result.content))]
    assert received in result.deviations[0].received
    assert result.document == document


def test_json_is_not_read_beyond_the_largest_depth() -> None:
    result = decoded(b"[" * (MAX_DEPTH + 1) + b"no JSON")
    assert result.unreadable == "JSON with more than 100 levels, which the suite does not read"


def test_identity_is_named_although_it_should_not_be() -> None:
    assert found(decoded(PLAIN, "identity")) == [(CODING, Grade.FAMILY)]


def test_a_coding_that_is_not_decoded_is_named_and_is_no_violation() -> None:
    result = decoded(b"\x0b\x02\x80", "br")
    assert (result.unsupported, result.document, found(result)) == ("br", ABSENT, [])
    assert "the content coding br, which the suite does not decode" in str(result.unreadable)


@given(st.binary(), st.lists(st.sampled_from(["gzip", "deflate", "br", "identity", "x"])))
@example(b"\xff\xfe\x00", [])
@example(compressed(b"\x00\x00\xfe\xff\x00"), ["gzip"])
def test_no_body_is_beyond_decoding(body: bytes, codings: list[str]) -> None:
    result = decoded(body, *codings)
    assert (result.document is ABSENT) is (result.unreadable is not None)


@pytest.mark.parametrize(
    ("codec", "received"),
    [
        ("utf-16-le", "UTF-16, little endian"),
        ("utf-16-be", "UTF-16, big endian"),
        ("utf-16", "UTF-16 with a byte order mark"),
        ("utf-32-le", "UTF-32, little endian"),
        ("utf-32-be", "UTF-32, big endian"),
        ("utf-32", "UTF-32 with a byte order mark"),
        ("utf-8-sig", "UTF-8 with a byte order mark"),
    ],
)
def test_another_encoding_is_a_violation_and_hides_nothing_else(codec: str, received: str) -> None:
    result = decoded(TEXT.encode(codec))
    assert (result.document, result.text) == (DOCUMENT, TEXT)
    (deviation,) = result.deviations
    assert (deviation.what, grade_of(deviation.part)) == (ENCODING, Grade.DOCUMENTED)
    assert deviation.received == received


@pytest.mark.parametrize(
    "wrong", [TEXT.encode("latin-1"), b'{"code": 200, "status": "\xed\xa0\x80"}']
)
def test_bytes_that_are_no_utf_8_are_a_violation(wrong: bytes) -> None:
    result = decoded(wrong)
    assert found(result) == [(ENCODING, Grade.DOCUMENTED)]
    assert "byte 25 is 0x" in result.deviations[0].received
    assert result.document["code"] == 200


@pytest.mark.parametrize("literal", ["'a'", "[1,]", "01", "nan", "1"])
def test_what_is_no_json_is_not_read(literal: str) -> None:
    result = decoded(f'{{"code": 1 {literal}}}'.encode())
    assert result.document is ABSENT
    assert str(result.unreadable).startswith("no JSON: expected a comma or the end")


@pytest.mark.parametrize(
    ("text", "document", "received"),
    [
        ('{"code": NaN}', {"code": None}, "expected a value, found NaN at character 9"),
        ("[-Infinity, Infinity]", [None, None], "expected a value, found -Infinity at character 1"),
        ('{"code": 1}\n<br>Notice', {"code": 1}, "expected the end at character 12"),
        ('{"code": 1}{}', {"code": 1}, "expected the end at character 11"),
    ],
)
def test_what_is_nearly_json_is_a_violation_and_hides_nothing_else(
    text: str, document: Any, received: str
) -> None:
    result = decoded(text.encode())
    assert (result.document, found(result)) == (document, [("JSON", Grade.DOCUMENTED)])
    assert result.deviations[0].received == received


def test_a_repeated_name_is_reported_and_the_last_value_counts() -> None:
    result = decoded(b'{"code": 1, "\\u0063ode": 2}')
    assert (result.document, found(result)) == ({"code": 2}, [("JSON", Grade.FAMILY)])


@pytest.mark.parametrize("escape", ["\\ud800", "\\udc00", "\\ud800\\ud800", "\\ud800\\u0041"])
def test_a_lone_surrogate_is_reported_and_replaced(escape: str) -> None:
    result = decoded(f'["{escape}", "\\ud83d\\ude00"]'.encode())
    assert found(result) == [("JSON", Grade.DECIDED)]
    replaced, pair = result.document
    assert replaced.startswith("\N{REPLACEMENT CHARACTER}")
    assert pair == "\N{GRINNING FACE}"


def test_a_number_beyond_all_others_can_be_reported() -> None:
    assert "Infinity" not in json.dumps(decoded(b"[1e400, -1e400]").document)


@pytest.mark.parametrize(
    ("depth", "read"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False), (10**5, False)]
)
def test_a_document_is_read_to_a_depth(depth: int, read: bool) -> None:
    result = decoded(b"[" * depth + b"]" * depth)
    assert (result.document is not ABSENT) is read
    assert (result.unreadable is None) is read


@pytest.mark.parametrize(
    ("accepted", "coding", "accepts"),
    [
        ([], "gzip", True),
        ([""], "gzip", False),
        (["gzip"], "gzip", True),
        (["GZip;q=0.5, br"], "gzip", True),
        (["x-gzip"], "gzip", True),
        (["gzip; q=0"], "gzip", False),
        (["br", "gzip"], "gzip", True),
        (["*"], "gzip", True),
        (["*;q=0"], "gzip", False),
        (["identity"], "gzip", False),
        (["gzip, *;q=0"], "br", False),
    ],
)
def test_a_caller_accepts_codings(accepted: list[str], coding: str, accepts: bool) -> None:
    assert accepts_coding(accepted, coding) is accepts
