"""The suite's own reading of JSON: agrees with Python's where that is right, and is stricter."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients_register.conformance.strict_json import (
    Document,
    NotJson,
    _Parser,
    parse_json,
    parse_tolerantly,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**90), 10**90)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_what_python_writes_is_read_as_it_was(value: Any, ascii_only: bool, indent: Any) -> None:
    written = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert parse_json(written.encode()).value == value


def carefully(text: str, max_depth: int) -> Document | None:
    """Parses `text` with the suite's own parser alone, without Python's; None if it is not JSON."""
    try:
        return _Parser(text, tolerant=True, max_depth=max_depth).document()
    except NotJson:
        return None


def tolerantly(text: str, max_depth: int) -> Document | None:
    try:
        return parse_tolerantly(text, max_depth)
    except NotJson:
        return None


UNUSUAL = [
    '{"a":1,"a":2}',
    '{"a":{"b":1,"b":1}}',
    '"\\ud800"',
    '"\\uD83D\\uDE00"',
    "[NaN]",
    "[-Infinity]",
    "[1e999,-1e999]",
    *("9" * digits for digits in (99, 100, 101)),
    *("-" + "9" * digits for digits in (99, 100, 101)),
    "0." + "3" * 100,
    '"' + "9" * 100 + '"',
    "[1.0,1e0,-0,-0.0,true]",
    "[[[]]]",
    "[[[[]]]]",
    '["[[[["]',
    "{}x",
    "\ufeff{}",
    "[1,]",
    '"\t"',
    "",
]


@given(VALUES.map(json.dumps) | st.sampled_from(UNUSUAL) | st.text('[]{}",:\\ntrue0.eE+-u1d8 '))
def test_the_shortcut_of_usual_documents_finds_the_same(text: str) -> None:
    for max_depth in (3, 100):
        # By their text, because 1 equals 1.0 and True.
        assert repr(tolerantly(text, max_depth)) == repr(carefully(text, max_depth))


@given(st.text(st.sampled_from('[]{}",:\\ntrue0.eE+-u1d8 '), max_size=12))
def test_it_takes_nothing_that_python_refuses(text: str) -> None:
    try:
        parse_json(text.encode())
    except NotJson:
        return
    json.loads(text)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"NaN",
        b"-Infinity",
        b"[1,]",
        b'{"a":1,}',
        b'{"a" 1}',
        b"{1:1}",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"1e",
        b"tru",
        b"{}{}",
        b"'a'",
        b'"\n"',
        b'"\\x41"',
        b'"\\u12"',
        b'"\\ud800"',
        b'"\\udc00"',
        b'"\\ud800\\u0041"',
        b'"a',
        b"[",
        b"\xef\xbb\xbf{}",
        b"\xff",
        b'"\xed\xa0\x80"',
        b"/**/1",
        b"\xc2\xa01",
    ],
)
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(NotJson):
        parse_json(content)


def test_an_integer_is_what_has_neither_fraction_nor_exponent() -> None:
    assert [type(each) for each in parse_json(b"[1,-0,1.0,1e0,1E400]").value] == [
        int,
        int,
        *[float] * 3,
    ]


def test_a_number_has_as_many_digits_as_it_likes() -> None:
    assert isinstance(parse_json(b"9" * 10_000).value, int)


def test_of_members_of_one_name_the_last_counts() -> None:
    assert parse_json(b'{"a":1,"\\u0061":2}').value == {"a": 2}


def test_a_pair_of_surrogates_is_one_sign() -> None:
    assert parse_json(b'"\\uD83D\\uDE00"').value == "\N{GRINNING FACE}"


@given(st.integers(0, 3000), st.sampled_from([(b"[", b"]"), (b'{"a":', b"}")]))
def test_depth_is_how_many_are_open_at_once(depth: int, pair: tuple[bytes, bytes]) -> None:
    before, after = pair
    assert parse_json(before * depth + b"0" + after * depth).depth == depth


def test_brackets_in_a_string_open_nothing() -> None:
    assert parse_json(b'["[[[{{{"]').depth == 1
