"""Expectations and invariants, each held against an answer that keeps it and one that does not."""

import json
from typing import Any

import pytest

from clients_register.conformance.case import Expectation, Grade
from clients_register.conformance.checks import check_expectation, check_invariants
from clients_register.conformance.envelope import EnvelopeLayout, ParsedResponse, parse_body
from clients_register.conformance.http_client import HttpResponse
from clients_register.conformance.request import encode_base64
from clients_register.conformance.results import MISSED, Verdict, worst
from clients_register.spec.statuses import load_statuses

KNOWN = load_statuses()
TAKEN = KNOWN.for_rule("email_is_free")
(ALIAS,) = KNOWN.aliases
SUCCESS = KNOWN.success
PASSWORD = "some-secret-of-a-test"
HEADERS = (("Content-Type", "application/json"), ("X-Request-Id", "1"))


def seen(body: Any, code: int = 400, headers: Any = HEADERS, layout: Any = None) -> ParsedResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = "\r\n".join(f"{name}: {value}" for name, value in headers).encode()
    answer = HttpResponse(code=code, headers=headers, body=raw, seconds=0.0, raw_head=head)
    return ParsedResponse(answer, parse_body(answer), EnvelopeLayout(layout), KNOWN)


def refusal(**changes: Any) -> dict[str, Any]:
    errors = [{"attr": "client.email", "message": "taken"}]
    return {"code": 400, "status": TAKEN.slug, "errors": errors, **changes}


@pytest.mark.parametrize(
    ("terms", "right", "wrong"),
    [
        ({"status": TAKEN.slug}, seen(refusal()), seen(refusal(status=SUCCESS.slug))),
        ({"status": TAKEN.slug}, seen(refusal(status=ALIAS.slug)), seen(b"<html>")),
        ({"status": TAKEN.slug}, seen(refusal()), seen(refusal(), code=409)),
        (
            {"status": SUCCESS.slug, "also": [TAKEN.slug]},
            seen(refusal()),
            seen(refusal(status="unheard-of")),
        ),
        ({"code": 400}, seen({}), seen({}, code=200)),
        (
            {"errors": [{"attr": "client.email", "message": "taken"}]},
            seen(refusal()),
            seen(refusal(errors=[])),
        ),
        ({"errors_of": ["client.email"]}, seen(refusal()), seen(refusal(errors=["client.email"]))),
        ({"at": "/data/id", "is": 1}, seen({"data": {"id": 1}}), seen({"data": {"id": True}})),
        ({"at": "/data/id", "is": None}, seen({"data": {"id": None}}), seen({"data": {}})),
        (
            {"at": "/data/id", "type": "integer"},
            seen({"data": {"id": 1}}),
            seen({"data": {"id": "1"}}),
        ),
        ({"at": "/data/a~1b", "type": "null"}, seen({"data": {"a/b": None}}), seen({"data": {}})),
        (
            {"at": "/data", "keys": ["id"]},
            seen({"data": {"id": 1}}),
            seen({"data": {"id": 1, "x": 2}}),
        ),
        ({"at": "/data", "absent": True}, seen({}), seen({"data": None})),
        ({"at": "/errors/0/attr", "matches": "^client"}, seen(refusal()), seen({"errors": []})),
        ({"header": "x-request-id", "matches": "^.$"}, seen({}), seen({}, headers=())),
        ({"header": "Location", "absent": True}, seen({}), seen({}, headers=(("location", "/"),))),
        ({"body": "empty"}, seen(b""), seen({})),
    ],
)
@pytest.mark.parametrize("grade", Grade)
def test_an_expectation_is_kept_or_missed(
    terms: dict[str, Any], right: ParsedResponse, wrong: ParsedResponse, grade: Grade
) -> None:
    expectation = Expectation(next(iter(terms)), grade, terms)
    assert worst(each.verdict for each in check_expectation(expectation, right)) is Verdict.PASS
    assert worst(each.verdict for each in check_expectation(expectation, wrong)) is MISSED[grade]


def test_an_envelope_is_looked_for_where_the_target_keeps_it() -> None:
    layout = {"status": "/meta/status"}
    found = seen({"meta": {"status": TAKEN.slug}}, layout=layout)
    assert found.slug == TAKEN.slug


def broken(found: ParsedResponse, sent: bytes = b"") -> set[str]:
    """What the invariants find wrong."""
    return {
        each.what
        for each in check_invariants(found, [PASSWORD], set(), sent=sent)
        if each.verdict is not Verdict.PASS
    }


def test_a_right_answer_breaks_no_invariant() -> None:
    assert broken(seen(refusal())) == set()


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (seen(b"<html>"), "envelope"),
        (seen([]), "envelope"),
        (seen(refusal(status="unheard-of")), "status"),
        (seen(refusal(code="400")), "code"),
        (seen(refusal(code=409), code=409), "HTTP code"),
        (seen(refusal(data={"id": 1})), "data"),
        (seen({"code": 400, "status": TAKEN.slug}), "errors"),
        (seen(refusal(), headers=(("Content-Type", "text/html"),)), "header Content-Type"),
        (seen(refusal(), headers=(("Content-Type", "application/json"),)), "header X-Request-Id"),
        (seen(refusal(note=PASSWORD)), "secrecy"),
        (seen(refusal(note=encode_base64(b"ab" + PASSWORD.encode() + b"cd"))), "secrecy"),
        (seen(refusal(note="$2b$04$" + "a" * 53)), "secrecy"),
        (seen(refusal(note="Traceback (most recent call last):")), "discretion"),
    ],
)
def test_a_wrong_answer_breaks_its_invariant(found: ParsedResponse, what: str) -> None:
    assert what in broken(found)


@pytest.mark.parametrize("before", ["", "a", "ab"])
def test_a_secret_is_found_at_each_alignment_of_base64(before: str) -> None:
    assert broken(seen(refusal(note=encode_base64(f"{before}{PASSWORD}!".encode())))) == {"secrecy"}


def test_what_was_sent_is_not_held_against_who_echoes_it() -> None:
    trace = b"Traceback (most recent call last):"
    assert broken(seen(refusal(note=trace.decode())), sent=trace) == set()


def test_a_request_id_comes_once() -> None:
    ids: set[str] = set()
    first, second = (
        [each.verdict for each in check_invariants(seen(refusal()), [], ids, sent=b"")]
        for _ in range(2)
    )
    assert worst(first) is Verdict.PASS
    assert worst(second) is Verdict.NOTE
