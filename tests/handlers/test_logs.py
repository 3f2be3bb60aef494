"""Crashes in the log: where and why they happened, without quoting the request."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.live import encoded

from clients_register.handlers.context import Request
from clients_register.handlers.logs import (
    HIDDEN,
    INTERVAL,
    MAX_LINES,
    MIN_QUOTE,
    StoreErrorLog,
    crash_report,
)
from clients_register.handlers.store.base import StoreUnavailable

PASSWORD = 'long enough "to be told" caf\u00e9'
TOKEN = "a-token-that-nobody-gave-out"


def crashed(body: bytes | None) -> Request:
    return Request("0123456789abcdef", "text/plain", "", body)


def report(words: str, body: bytes | None) -> str:
    """The report of an error with these words."""
    try:
        raise ValueError(words)
    except ValueError as error:
        return crash_report(crashed(body), error)


SENT = {"application": "planoauth", "token": TOKEN, "client": {"password": PASSWORD}}
RAW = encoded(SENT).decode()

QUOTES = {
    "the password": f"bad {PASSWORD}",
    "the password, escaped by Python": f"bad {PASSWORD!r}",
    "the password, escaped to ASCII": f"bad {PASSWORD!a}",
    "the password, escaped by JSON": f"bad {json.dumps(PASSWORD)}",
    "the password, as bytes": f"bad {PASSWORD.encode()!r}",
    "the password's beginning": f"bad {PASSWORD[:12]}...",
    "the token": f"no {TOKEN}",
    "all parameters": f"cannot take {SENT}",
    "all parameters, as JSON": f"cannot take {json.dumps(SENT, indent=1)}",
    "the body": f"cannot decode {RAW}",
    "the body, as bytes": f"cannot decode {RAW.encode()!r}",
    "the body's end": f"cannot decode ...{RAW[-20:]}",
}


@pytest.mark.parametrize("words", QUOTES.values(), ids=list(QUOTES))
@pytest.mark.parametrize("lines", [False, True], ids=["in one line", "in lines"])
def test_words_that_quote_the_request_are_not_reported(words: str, lines: bool) -> None:
    body = base64.encodebytes(base64.b64decode(RAW)) if lines else RAW.encode()
    assert report(words, body).endswith(f"  builtins.ValueError: {HIDDEN}")


@pytest.mark.parametrize(
    "body",
    [RAW.encode(), b"", None, b"=", encoded([]), encoded({"client": 1}), encoded({"token": [1]})],
    ids=["params", "none", "over the limit", "no base64", "a list", "no client", "odd token"],
)
def test_words_that_quote_nothing_are_reported(body: bytes | None) -> None:
    assert report("the disk is on fire", body).endswith("builtins.ValueError: the disk is on fire")


@given(
    secret=st.text(min_size=1, max_size=72).filter(str.strip),
    before=st.text(max_size=40),
    after=st.text(max_size=40),
)
def test_no_password_is_reported_whatever_stands_around_it(
    secret: str, before: str, after: str
) -> None:
    told = report(before + secret + after, encoded({"client": {"password": secret}}))
    assert told.endswith(f"builtins.ValueError: {HIDDEN}")


@given(size=st.integers(MIN_QUOTE, 200), at=st.integers(0, 1000))
def test_no_piece_of_the_body_is_reported(size: int, at: int) -> None:
    at %= len(RAW) - MIN_QUOTE
    assert RAW[at : at + size] not in report(RAW[at : at + size], RAW.encode())


def test_what_an_error_came_from_is_reported_by_the_same_rule() -> None:
    try:
        try:
            try:
                raise KeyError(TOKEN)
            except KeyError as error:
                raise ExceptionGroup("several", [OSError("full"), ValueError(PASSWORD)]) from error
        except ExceptionGroup as error:
            error.add_note(f"with {TOKEN}")
            raise RuntimeError("in the end") from error
    except RuntimeError as error:
        told = crash_report(crashed(RAW.encode()), error)
    lines = [line.strip() for line in told.splitlines() if "Error: " in line or "Group: " in line]
    assert lines == [
        "builtins.RuntimeError: in the end",
        f"builtins.ExceptionGroup: {HIDDEN}",
        "builtins.OSError: full",
        f"builtins.ValueError: {HIDDEN}",
        f"builtins.KeyError: {HIDDEN}",
    ]


def test_no_words_of_an_error_look_like_an_entry_of_the_log() -> None:
    told = report("oh\n2026-01-15 09:30:00,000 ERROR forged", None)
    assert [line for line in told.splitlines()[1:] if not line.startswith("  ")] == []


def test_an_error_that_cannot_be_put_into_words_is_reported_all_the_same() -> None:
    class Speechless(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    told = crash_report(crashed(b""), Speechless())
    assert told.endswith("Speechless: [no message]")


def test_a_crash_in_the_decoding_itself_is_reported_without_the_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_: bytes) -> None:
        raise RecursionError

    monkeypatch.setattr("clients_register.handlers.logs.Body", broken)
    assert report(f"cannot decode {RAW}", RAW.encode()).endswith(HIDDEN)
    assert report("too deep", RAW.encode()).endswith("builtins.ValueError: too deep")


def test_an_error_of_a_store_is_logged_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    errors = StoreErrorLog(lambda: now)
    for now in (0, 1, INTERVAL - 1, INTERVAL, 3 * INTERVAL):
        errors.error(f"at {now:g}", StoreUnavailable("full"))
    errors.error("another", StoreUnavailable("replaced"))
    assert [each.getMessage() for each in caplog.records] == [
        "at 0: full",
        f"at {INTERVAL}: full (2 more failed like this since the last such line)",
        f"at {3 * INTERVAL}: full",
        "another: replaced",
    ]


def test_so_many_errors_of_stores_are_logged_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    errors = StoreErrorLog(lambda: now)
    for now in (0, INTERVAL):
        for number in range(MAX_LINES + 50):
            errors.error("here", StoreUnavailable(f"{now} {number}"))
    assert len(caplog.records) == 2 * MAX_LINES
