"""Expectations and invariants, each held against an answer that keeps it and one that does not."""

import gzip
import json
from hashlib import sha256
from typing import Any

import pytest

from clients_register.conformance.case import Expectation
from clients_register.conformance.checks import check_expectation, check_invariants
from clients_register.conformance.grades import Grade
from clients_register.conformance.http_client import HttpRequest, HttpResponse
from clients_register.conformance.request import encode_base64
from clients_register.conformance.response import EnvelopeLayout, ParsedResponse, parse_body
from clients_register.conformance.results import MISSED, Verdict, worst
from clients_register.spec.statuses import load_statuses

KNOWN = load_statuses()
TAKEN = KNOWN.for_rule("email_is_free")
(ALIAS,) = KNOWN.aliases
SUCCESS = KNOWN.success
PASSWORD = "some-secret-of-a-test"
PREFLIGHT = ("Origin", "Access-Control-Request-Method")
HEADERS = (("Content-Type", "application/json"), ("X-Request-Id", "1"))


def seen(
    body: Any, code: int = 400, headers: Any = HEADERS, layout: Any = None, **more: Any
) -> ParsedResponse:
    encoding, slashes = more.pop("encoding", "utf-8"), more.pop("slashes", False)
    # PHP escapes slashes.
    text = (
        "" if isinstance(body, bytes) else json.dumps(body).replace("/", "\\/" if slashes else "/")
    )
    raw = body if isinstance(body, bytes) else text.encode(encoding)
    head = "\r\n".join(f"{name}: {value}" for name, value in headers).encode()
    answer = HttpResponse(code, headers, raw, seconds=0.0, raw_head=head, **more)
    return ParsedResponse(answer, parse_body(answer), EnvelopeLayout(layout), KNOWN)


def entry(attr: str, message: str = "missing") -> dict[str, str]:
    return {"attr": attr, "message": message}


def escaped(document: Any) -> bytes:
    """JSON in which every character of a password is escaped."""
    codes = "".join(f"\\u{ord(sign):04x}" for sign in PASSWORD)
    return json.dumps(document).replace(PASSWORD, codes).encode()


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
        ({"at": "/data/id", "is": 1}, seen({"data": {"id": 1}}), seen({"data": {"id": 1.0}})),
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
        (
            {"header": "X-Request-Id", "matches": "^.$"},
            seen({}),
            seen({}, headers=HEADERS[1:] * 2),
        ),
        ({"header": "Location", "absent": True}, seen({}), seen({}, headers=(("location", "/"),))),
        ({"body": "empty"}, seen(b""), seen({})),
    ],
)
def test_an_expectation_is_kept_or_missed(
    terms: dict[str, Any], right: ParsedResponse, wrong: ParsedResponse
) -> None:
    expectation = Expectation(next(iter(terms)), Grade.DOCUMENTED, terms)
    assert worst(each.verdict for each in check_expectation(expectation, right)) is Verdict.PASS
    missed = worst(each.verdict for each in check_expectation(expectation, wrong))
    assert missed in MISSED.values()


@pytest.mark.parametrize("grade", Grade)
def test_a_missed_expectation_has_the_verdict_of_its_grade(grade: Grade) -> None:
    expectation = Expectation("code", grade, {"code": 200})
    (finding,) = check_expectation(expectation, seen(refusal()))
    assert (finding.grade, finding.verdict) == (grade, MISSED[grade])


def test_an_envelope_is_looked_for_where_the_target_keeps_it() -> None:
    layout = {"status": "/meta/status"}
    found = seen({"meta": {"status": TAKEN.slug}}, layout=layout)
    assert found.slug == TAKEN.slug


def posted(body: bytes = b"") -> HttpRequest:
    return HttpRequest("POST", "/", (), body)


def broken(found: ParsedResponse, sent: bytes = b"") -> set[str]:
    """The findings of the invariants that are no pass."""
    return {
        each.what
        for each in check_invariants(found, [PASSWORD], set(), posted(sent))
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
        (seen(refusal(note="Error: x\n    at register (/srv/app.js:1:2)")), "discretion"),
        (seen(b""), "envelope"),
        (seen(b"", code=204), "envelope"),
        (seen(b"<html>"), "status"),
        (seen([]), "status"),
        (seen(refusal(code=400.0)), "code"),
        (seen(refusal(errors=[])), "form of errors"),
        (seen(refusal(errors={"client.email": "taken"})), "form of errors"),
        (seen(refusal(errors=[{"attr": "client.email"}])), "form of errors"),
        (seen(refusal(errors=[entry("a"), {}, 1, None])), "form of errors"),
        (seen(refusal(errors=[entry("b"), entry("a")])), "form of errors"),
        (seen(refusal(errors=[entry("a"), entry("a")])), "form of errors"),
        (seen(refusal(errors=[entry("a", "in use")])), "form of errors"),
        (seen(refusal(), headers=(*HEADERS, HEADERS[0])), "header Content-Type"),
        (
            seen(refusal(), headers=((HEADERS[0][0], "\xa0application/json"),)),
            "header Content-Type",
        ),
        (seen(refusal(), headers=(*HEADERS, ("x-request-id", "2"))), "header X-Request-Id"),
        (seen(refusal(note=PASSWORD), encoding="utf-16"), "secrecy"),
        (seen(escaped(refusal(note=PASSWORD))), "secrecy"),
        (seen(refusal(note="$2b$04$" + "a" * 40 + "/" * 13), slashes=True), "secrecy"),
        (seen(refusal(note=sha256(PASSWORD.encode()).hexdigest())), "secrecy"),
        (seen(refusal(note=f"$argon2id$v=19$m=64,t=3,p=4$c2FsdA${'a' * 43}")), "secrecy"),
        (seen(refusal(note=f"$6$rounds=5000$salt${'a' * 86}")), "secrecy"),
        (seen(refusal(note=f"$pbkdf2-sha256$29000$salt${'a' * 43}")), "secrecy"),
        (seen(refusal(note=f"pbkdf2_sha256$600000$salt${'a' * 43}=")), "secrecy"),
        (seen(refusal(note=f"scrypt:32768:8:1$salt${'a' * 128}")), "secrecy"),
        (seen(refusal(), encoding="utf-16"), "character encoding"),
        (seen(refusal(), framing_problems=("two lengths",)), "HTTP framing"),
        (seen(refusal(), surplus=b"\r\n"), "end of the response"),
    ],
)
def test_a_wrong_answer_breaks_its_invariant(found: ParsedResponse, what: str) -> None:
    assert what in broken(found)


@pytest.mark.parametrize(
    "note", ["for $1 or $2$ a piece", "$scrypt$", "scrypt:", "sha1: " + "0" * 40, "at noon (12:00)"]
)
def test_ordinary_text_is_no_leak(note: str) -> None:
    assert broken(seen(refusal(note=note))) == set()


@pytest.mark.parametrize(
    ("method", "names", "answer", "what"),
    [
        ("HEAD", (), seen(b"", code=500), set()),
        ("HEAD", (), seen(b"", code=500, headers=HEADERS[1:]), {"header Content-Type"}),
        ("HEAD", (), seen(b"", code=500, headers=HEADERS[:1]), {"header X-Request-Id"}),
        ("OPTIONS", PREFLIGHT, seen(b"", code=204, headers=()), set()),
        ("OPTIONS", PREFLIGHT, seen(b"", code=200, headers=()), {"HTTP code"}),
        ("OPTIONS", (), seen(b"", code=204), {"envelope", "status"}),
    ],
)
def test_what_a_response_needs_depends_on_the_request(
    method: str, names: tuple[str, ...], answer: ParsedResponse, what: set[str]
) -> None:
    request = HttpRequest(method, "/", tuple((name, "x") for name in names), b"")
    found = check_invariants(answer, [], set(), request)
    assert {each.what for each in found if each.verdict is not Verdict.PASS} == what


@pytest.mark.parametrize(
    ("accepted", "verdict"),
    [((), Verdict.OBSERVED), (("gzip",), Verdict.PASS), (("identity",), Verdict.FAIL)],
)
def test_a_content_coding_has_to_be_one_that_the_caller_accepts(
    accepted: tuple[str, ...], verdict: Verdict
) -> None:
    body = gzip.compress(json.dumps(refusal()).encode())
    answer = seen(body, headers=(*HEADERS, ("Content-Encoding", "gzip")))
    request = HttpRequest("POST", "/", tuple(("Accept-Encoding", each) for each in accepted), b"")
    assert worst(each.verdict for each in check_invariants(answer, [], set(), request)) is verdict


@pytest.mark.parametrize("before", ["", "a", "ab"])
def test_a_secret_is_found_at_each_alignment_of_base64(before: str) -> None:
    assert broken(seen(refusal(note=encode_base64(f"{before}{PASSWORD}!".encode())))) == {"secrecy"}


def test_what_was_sent_is_not_held_against_who_echoes_it() -> None:
    trace = b"Traceback (most recent call last):"
    assert broken(seen(refusal(note=trace.decode())), sent=trace) == set()


def test_a_request_id_comes_once() -> None:
    ids: set[str] = set()
    first, second = (
        [each.verdict for each in check_invariants(seen(refusal()), [], ids, posted())]
        for _ in range(2)
    )
    assert worst(first) is Verdict.PASS
    assert worst(second) is Verdict.NOTE
