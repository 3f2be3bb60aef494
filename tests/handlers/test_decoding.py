"""Decoding, apart from HTTP: base64 (RFC 4648 section 4) and JSON (RFC 8259)."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clients_register.handlers.decoding import MAX_DEPTH, UNREADABLE, Body, parse_media_type

# The grammar, written a second time and another way: quadruples, the last one perhaps padded.
BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")

white_space = st.text("\t\n\v\f\r ", max_size=4).map(str.encode)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Hypothesis makes lone surrogates no text by itself.
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def body_of(text: str | bytes) -> Body:
    return Body(base64.b64encode(text if isinstance(text, bytes) else text.encode()))


@given(st.text("AQgw+/=-_ \n", max_size=13).map(str.encode))
@example(b"QQ==QQ==")
@example(b"====")
@example(b"QQ=")
@example(b"QUI==")
@example(b"Q===")
@example(b"QUJD=")
@example(b"QUJD====")
@example(b"QUJDQUJD========")
@example(b"QQ==\n")
@example(b"Q Q = =")
def test_a_body_is_base64_exactly_where_the_grammar_says_so(raw: bytes) -> None:
    stripped = bytes(byte for byte in raw if byte not in b"\t\n\v\f\r ")
    assert (Body(raw).decoded is not None) == bool(BASE64.fullmatch(stripped))


@given(st.binary(min_size=1), st.lists(white_space, min_size=1, max_size=9))
def test_white_space_anywhere_is_ignored(content: bytes, gaps: list[bytes]) -> None:
    raw = base64.b64encode(content)
    spaced = b"".join(gaps[at % len(gaps)] + raw[at : at + 1] for at in range(len(raw) + 1))
    assert Body(spaced).decoded == content


@pytest.mark.parametrize("raw", [b"QR==", b"QUJ="])
def test_pad_bits_that_are_not_zero_are_accepted(raw: bytes) -> None:
    assert Body(raw).decoded is not None


@given(json_values)
def test_every_json_value_is_read_as_it_was_written(value: Any) -> None:
    for ascii_only in (True, False):
        assert body_of(json.dumps(value, ensure_ascii=ascii_only)).value == value


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[Infinity]",
        '{"a": -Infinity}',
        '"\\ud800"',
        '"\\udc00"',
        '"\\ud800\\ud800"',
        '"\\ud83d \\ude00"',
        '"\\ud83d\\n\\ude00"',
        '"\\uD83D"',
        '{"a": "\\ud800", "a": 1}',
        '"\\\\\\ud800"',
        "\ufeff{}",
        "{'a': 1}",
        '{"a": 1,}',
        '{"a": 01}',
        '{"a": 1} x',
        '"\t"',
        "",
        " ",
        b"\xff\xfe",
        b'"\xed\xa0\x80"',
        b'"\xc0\xaf"',
        '{"a": 1}'.encode("utf-16"),
    ],
)
def test_what_is_no_json_in_utf_8_is_unreadable(text: str | bytes) -> None:
    assert body_of(text).value is UNREADABLE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('{"a": 1, "\\u0061": 2}', {"a": 2}),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('"\\uD83D\\uDE00\\uD83D\\uDE00"', "\U0001f600\U0001f600"),
        ('"\\\\ud800"', "\\ud800"),
        (" \t\r\n1 ", 1),
        ("1e400", float("inf")),
        ("0." + "1" * 9999, 0.1111111111111111),
        ('"\\u0000"', "\0"),
    ],
)
def test_what_is_json_is_read(text: str, value: object) -> None:
    assert body_of(text).value == value


@pytest.mark.parametrize("digits", [100, 640, 641, 4301, 40_000])
def test_an_integer_of_any_length_is_an_integer(digits: int) -> None:
    value = body_of("-" + "9" * digits).value
    assert isinstance(value, int)
    assert value < -(10**99)


@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":[', "]}]")], ids=str
)
def test_a_depth_of_64_is_read_and_more_than_1024_is_not(opening: str, closing: str) -> None:
    step = len(re.findall(r"[\[{]", opening))
    fits, too_deep = MAX_DEPTH // step, 1025 // step + 1
    assert body_of(opening * fits + "1" + closing * fits).value is not UNREADABLE
    assert body_of(opening * too_deep + "1" + closing * too_deep).value is UNREADABLE


def test_brackets_in_strings_and_side_by_side_are_not_depth() -> None:
    text = json.dumps({"a": '[{\\"' * 200, "b": [[]] * 200})
    assert body_of(text).value is not UNREADABLE


@pytest.mark.parametrize("text", ["\\", '"', '\\"', '"\\', '\\\\"', "[\\"])
def test_escapes_in_strings_hide_no_depth(text: str) -> None:
    name, value = json.dumps(text), json.dumps([text])
    fits, too_deep = MAX_DEPTH - 1, 1025
    for depth, is_read in ((fits, True), (too_deep, False)):
        body = body_of(f"{{{name}:" * depth + value + "}" * depth)
        assert (body.value is not UNREADABLE) is is_read


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("text/plain", "text/plain"),
        ("Text/PLAIN ; charset=utf-8", "text/plain"),
        (" text/plain;;=", "text/plain"),
        ("text/plain, text/html", "text/plain, text/html"),
        ("", ""),
        (";charset=utf-8", ""),
    ],
)
def test_the_media_type_is_what_stands_before_the_first_semicolon(header: str, named: str) -> None:
    assert parse_media_type(header) == named
