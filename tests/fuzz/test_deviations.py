"""One deviation in a response has one grade, whether a case or fuzzing finds it."""

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from clients_register import spec
from clients_register.conformance.case import parse_cases
from clients_register.conformance.checks import check_expectation, check_invariants
from clients_register.conformance.fuzz.oracle import predict
from clients_register.conformance.fuzz.request_decoding import decode_request
from clients_register.conformance.fuzz.response_checks import check_success, match_outcome
from clients_register.conformance.fuzz.world_model import UserModel, WorldModel
from clients_register.conformance.grades import Grade, strongest
from clients_register.conformance.http_client import HttpRequest, HttpResponse
from clients_register.conformance.response import EnvelopeLayout, ParsedResponse, parse_body
from clients_register.conformance.results import Finding, Verdict
from clients_register.spec.statuses import Status, load_statuses

KNOWN = load_statuses()
DOCUMENTED, FAMILY, DECIDED = Grade

EMAIL, PASSWORD = "ada@tests.test", "correct horse battery"
RESPONSES = spec.load("openapi")["paths"]["/clients/register"]["post"]["responses"]
CONTENT = {
    slug: example["value"]
    for response in RESPONSES.values()
    for slug, example in response["content"]["application/json"]["examples"].items()
}
UNCOMMON = {row.slug for row in KNOWN.rows if row.uncommon}
TAKEN = KNOWN.for_rule("email_is_free")
INVALID = KNOWN.for_rule("types_are_right")
FAILED = KNOWN.for_rule("lengths_are_kept")

# Each request: what it sends, what its case expects, the questions it raises, and its response.
REQUESTS: dict[str, tuple[dict[str, Any], list[dict[str, Any]], list[str], Any]] = {
    "plain": ({}, [], [], None),
    "enterprise": ({"enterprise": True}, [], [], None),
    "blank company": ({"enterprise": True, "company_id": None}, [], ["Q-NULLS"], None),
    "taken": (
        {"email": "client@tests.test"},
        [{"attr": "client.email", "message": "taken"}],
        [],
        TAKEN,
    ),
    "malformed": (
        {"email": "no address"},
        [{"attr": "client.email", "message": "malformed"}],
        [],
        INVALID,
    ),
    "two errors": (
        {"company_id": 999_999_999, "phone": 1},
        [
            {"attr": "client.company_id", "message": "unrecognized"},
            {"attr": "client.phone", "message": "wrong_type"},
        ],
        [],
        INVALID,
    ),
    "long name": (
        {"first_name": "x" * 256},
        [{"attr": "client.first_name", "message": "too_long"}],
        [],
        FAILED,
    ),
}


def world() -> WorldModel:
    model = WorldModel({"planoauth": "PlanoAuth"}, frozenset({42}))
    model.add_user(UserModel("client@tests.test", PASSWORD, client=True))
    return model


def sent(changes: dict[str, Any]) -> HttpRequest:
    changes = dict(changes)
    params: dict[str, Any] = {"application": "planoauth"}
    if "enterprise" in changes:
        params["enterprise"] = changes.pop("enterprise")
    params["client"] = {"email": EMAIL, "password": PASSWORD, **changes}
    body = base64.b64encode(json.dumps(params).encode())
    headers = (("Content-Type", "text/plain"),)
    return HttpRequest("POST", "/api/v1/clients/register", headers, body)


def right_response(name: str) -> dict[str, Any]:
    changes, errors, _, row = REQUESTS[name]
    if row is not None:
        return {"code": row.code, "status": row.slug, "errors": copy.deepcopy(errors)}
    envelope = copy.deepcopy(CONTENT[KNOWN.success.slug])
    data = dict.fromkeys(envelope["data"])
    enterprise = bool(changes.get("enterprise"))
    data |= {"id": 1, "email": EMAIL, "enterprise": enterprise, "created_at": "now"}
    return {**envelope, "data": data}


def parsed(document: Any, code: int, headers: Any = None) -> ParsedResponse:
    headers = headers or (("Content-Type", "application/json"), ("X-Request-Id", "1"))
    head = "\r\n".join(f"{name}: {value}" for name, value in headers).encode()
    response = HttpResponse(code, headers, json.dumps(document).encode(), 0.0, head)
    return ParsedResponse(response, parse_body(response), EnvelopeLayout(), KNOWN)


def found_by_case(name: str, response: ParsedResponse) -> list[Finding]:
    """The findings of a case that expects all of the right response."""
    _, errors, questions, row = REQUESTS[name]
    expect: list[dict[str, Any]] = [{"status": (row or KNOWN.success).slug}]
    if errors:
        expect.append({"errors": errors})
    else:
        right = right_response(name)
        objects = ("data", "session", "application")
        expect += [{"at": f"/{key}", "keys": sorted(right[key])} for key in objects]
        expect += [
            {"at": f"/data/{member}", "is": value}
            for member, value in right["data"].items()
            if member not in ("id", "created_at")
        ]
        expect += [
            {"at": "/data/id", "type": "integer"},
            {"at": "/session/application", "is": "planoauth"},
            {"at": "/session/remember_me", "is": False},
            {"at": "/application/slug", "is": "planoauth"},
            {"at": "/application/name", "is": "PlanoAuth"},
        ]
    case = {"id": "area/one", "title": "a case", "questions": questions, "expect": expect}
    text = json.dumps({"area": "area", "about": "One case.", "cases": [case]})
    (read,) = parse_cases({"one.yaml": text}, KNOWN, {})
    return [finding for each in read.judged.expect for finding in check_expectation(each, response)]


def found_by_fuzzing(name: str, response: ParsedResponse) -> list[Finding]:
    request = sent(REQUESTS[name][0])
    model = world()
    prediction = predict(decode_request(request.headers, request.body), model)
    outcome, findings = match_outcome(prediction, response)
    if outcome is not None:
        findings += check_success(outcome, prediction, model, response)
    return findings


def judged(
    find: Callable[[str, ParsedResponse], list[Finding]], name: str, response: ParsedResponse
) -> dict[str, Grade]:
    """The grade of each deviation that one way of judging finds, with the invariants."""
    findings = [
        *check_invariants(response, [PASSWORD], set(), sent(REQUESTS[name][0])),
        *find(name, response),
    ]
    missed = [each for each in findings if each.verdict is not Verdict.PASS]
    grades: dict[str, Grade] = {}
    for each in missed:
        grades[each.what] = strongest((grades.get(each.what, each.grade), each.grade))
    return grades


def without(*path: str) -> Callable[[Any], None]:
    def change(envelope: Any) -> None:
        for key in path[:-1]:
            envelope = envelope[key]
        del envelope[path[-1]]

    return change


def having(value: Any, *path: Any) -> Callable[[Any], None]:
    def change(envelope: Any) -> None:
        for key in path[:-1]:
            envelope = envelope[key]
        envelope[path[-1]] = value

    return change


def replied(slug: str, **keys: Any) -> Callable[[Any], None]:
    def change(envelope: dict[str, Any]) -> None:
        envelope.clear()
        row = KNOWN.find(slug)
        envelope |= {"code": 400 if row is None else row.code, "status": slug, **keys}

    return change


MEMBERS = [*right_response("plain")["data"]]
TAKEN_ERROR = REQUESTS["taken"][1]
MALFORMED, TWO, LONG = (REQUESTS[name][1] for name in ("malformed", "two errors", "long name"))
ERROR = {"attr": "view", "message": "unrecognized"}

# (fault of a response, its request, how to plant it, grade of the finding)
DEVIATIONS: list[tuple[str, str, Callable[[Any], None], Grade]] = [
    ("an undocumented slug", "plain", replied("unheard-of"), DOCUMENTED),
    ("another status", "plain", replied(INVALID.slug, errors=[ERROR]), DOCUMENTED),
    (
        "a taken address as another fault",
        "taken",
        replied(INVALID.slug, errors=[ERROR]),
        DOCUMENTED,
    ),
    ("the code in the envelope", "plain", having(201, "code"), FAMILY),
    ("no code in the envelope", "plain", without("code"), FAMILY),
    ("no data", "plain", without("data"), DOCUMENTED),
    ("data that is a list", "plain", having([], "data"), DOCUMENTED),
    ("no session", "plain", without("session"), DECIDED),
    ("no application", "plain", without("application"), DECIDED),
    ("a surplus key", "plain", having([], "errors"), DECIDED),
    *((f"no {each}", "plain", without("data", each), DECIDED) for each in MEMBERS),
    ("a surplus member", "plain", having(1, "data", "more"), DECIDED),
    ("another address", "plain", having("other@tests.test", "data", "email"), DECIDED),
    ("another name", "plain", having("Ada", "data", "first_name"), DECIDED),
    ("another company", "plain", having(42, "data", "company_id"), DECIDED),
    ("an id that is text", "plain", having("1", "data", "id"), DECIDED),
    ("an enterprise client", "plain", having(True, "data", "enterprise"), DECIDED),
    ("no enterprise client", "enterprise", having(False, "data", "enterprise"), DOCUMENTED),
    ("enterprise is absent", "enterprise", without("data", "enterprise"), DECIDED),
    ("a blank is a company", "blank company", having(False, "data", "enterprise"), DECIDED),
    ("another application", "plain", having("planox2", "application", "slug"), DECIDED),
    ("an application without name", "plain", without("application", "name"), DECIDED),
    ("a remembered session", "plain", having(True, "session", "remember_me"), DECIDED),
    ("a session without token", "plain", without("session", "token"), DECIDED),
    ("no errors", "malformed", without("errors"), FAMILY),
    ("another message", "malformed", having("missing", "errors", 0, "message"), FAMILY),
    ("one more error", "malformed", having([*MALFORMED, ERROR], "errors"), FAMILY),
    ("no documented error", "two errors", having(TWO[1:], "errors"), FAMILY),
    ("no decided error", "two errors", having(TWO[:1], "errors"), DECIDED),
    ("another order", "two errors", having(TWO[::-1], "errors"), FAMILY),
    ("no error of a family rule", "long name", having([], "errors"), FAMILY),
    ("another status of a decided rule", "long name", replied(INVALID.slug, errors=LONG), DECIDED),
    # The page gives this slug the words of a taken address.
    (
        "a taken address fails validation",
        "taken",
        replied(FAILED.slug, errors=TAKEN_ERROR),
        DECIDED,
    ),
]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_right_response_has_no_finding(name: str) -> None:
    right = right_response(name)
    response = parsed(right, right["code"])
    assert judged(found_by_case, name, response) == judged(found_by_fuzzing, name, response) == {}


@pytest.mark.parametrize(
    ("name", "change", "grade"),
    [each[1:] for each in DEVIATIONS],
    ids=[each[0] for each in DEVIATIONS],
)
def test_a_deviation_has_the_grade_of_the_contract_however_it_is_found(
    name: str, change: Callable[[Any], None], grade: Grade
) -> None:
    envelope = right_response(name)
    change(envelope)
    row = KNOWN.find(envelope["status"])
    code = envelope.get("code", 200) if row is None else row.code
    response = parsed(envelope, code)
    for find in (found_by_case, found_by_fuzzing):
        found = judged(find, name, response)
        assert found, find
        assert strongest(found.values()) is grade, (find, found)


@pytest.mark.parametrize("row", KNOWN.rows, ids=[row.slug for row in KNOWN.rows])
def test_a_wrong_http_code_has_the_grade_of_the_code_of_its_status(row: Status) -> None:
    envelope = copy.deepcopy(CONTENT[row.slug])
    envelope["code"] = 418
    found = judged(lambda *_: [], "plain", parsed(envelope, 418))
    expectation = {"status": row.slug}
    case = {"id": "area/one", "title": "a case", "questions": ["Q-NULLS"], "expect": [expectation]}
    text = json.dumps({"area": "area", "about": "One case.", "cases": [case]})
    (read,) = parse_cases({"one.yaml": text}, KNOWN, {})
    findings = check_expectation(read.judged.expect[0], parsed(envelope, 418))
    in_case = {each.what: each.grade for each in findings if each.verdict is not Verdict.PASS}
    # Five codes are our choice, because the page does not give them.
    expected = DECIDED if row.slug in UNCOMMON else DOCUMENTED
    assert found == in_case == {"HTTP code": expected}


def test_secrets_fail_any_server() -> None:
    envelope = right_response("plain")
    envelope["data"]["password"] = PASSWORD
    for find in (found_by_case, found_by_fuzzing):
        assert judged(find, "plain", parsed(envelope, 200))["secrecy"] is DOCUMENTED


def test_the_session_of_a_user_without_a_role_is_documented() -> None:
    row = KNOWN.for_rule("user_has_a_role")
    envelope = copy.deepcopy(CONTENT[row.slug])
    del envelope["session"]
    response = parsed(envelope, row.code)
    assert judged(lambda *_: [], "plain", response) == {"session": DOCUMENTED}
    case = {"id": "area/one", "title": "a case", "expect": [{"at": "/session", "type": "object"}]}
    text = json.dumps({"area": "area", "about": "One case.", "cases": [case]})
    (read,) = parse_cases({"one.yaml": text}, KNOWN, {})
    assert [each.grade for each in check_expectation(read.judged.expect[0], response)] == [
        DOCUMENTED
    ]
