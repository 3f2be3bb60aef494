"""A case has the grades that fuzzing gives its request, and they are those of the contract."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from clients_register.conformance.case import (
    STUB,
    Case,
    RequestTemplate,
    load_cases,
    parse_cases,
    parse_duration,
)
from clients_register.conformance.exchange import Exchange
from clients_register.conformance.fuzz import AREA
from clients_register.conformance.fuzz.checker import ContractViolation
from clients_register.conformance.fuzz.corpus import build_case
from clients_register.conformance.fuzz.oracle import Prediction, predict
from clients_register.conformance.fuzz.precedence import FAULTS
from clients_register.conformance.fuzz.request_decoding import check_route, decode_request
from clients_register.conformance.fuzz.response_checks import (
    apply_outcome,
)
from clients_register.conformance.fuzz.world_model import (
    PEOPLE,
    UserModel,
    WorldModel,
    initial_model,
)
from clients_register.conformance.grades import Grade, load_grades
from clients_register.conformance.http_client import HttpRequest
from clients_register.conformance.request import Values, build_request
from clients_register.conformance.results import Finding
from clients_register.conformance.target import target_for_url
from clients_register.spec.statuses import Status, load_statuses

KNOWN = load_statuses()
GRADES = load_grades()
DOCUMENTED, FAMILY, DECIDED = Grade
SERVER_FAULTS = {fault.state: fault.rule for fault in FAULTS if fault.of_server}

# A target whose applications are unknown to the family's documentation.
ONE, ANOTHER = "an-application", "another-application"
STUB_TARGET = target_for_url("http://127.0.0.1:1/api/v1", control=True)
TARGET = replace(STUB_TARGET, application=ONE, other_application=ANOTHER)


class Simulation:
    """A case without a server: what the oracle predicts for it, in the state it arranges."""

    def __init__(self, case: Case) -> None:
        model = initial_model(TARGET)
        known = {**model.applications, ONE: None, ANOTHER: None}
        self.model = replace(model, applications=known)
        self.values = Values(TARGET.email_domain, "run", TARGET.placeholders)
        self.values.update({"now": "now"})
        for state in case.arrange:
            self.arrange(state)
        for step in case.before:
            if step.advance is not None:
                self.model.now += timedelta(seconds=parse_duration(step.advance))
            for send in step.sends:
                token = self.values.fill("token-${unique}") + str(len(self.model.sessions))
                apply_outcome(self.model, *self.predicted(send), token)
                if send is step.send:
                    self.values.update(dict.fromkeys(step.keep, token))
        self.prediction, self.outcome = self.predicted(case.judged.sends[0])

    def arrange(self, state: str) -> None:
        if state == "client":
            email, password = self.values.fresh_email(), self.values.fresh_password()
            self.model.make_client(email, password)
            self.provide(state, {"client.email": email, "client.password": password})
            return
        given: dict[str, Any] = {}
        if state in PEOPLE:
            given = {"user.email": self.values.fresh_email()}
            if "without-password" not in state:
                given["user.password"] = self.values.fresh_password()
        logged_in = state in PEOPLE and PEOPLE[state].age is not None
        if logged_in or state == "application-token":
            given["token"] = f"token-of-{state}"
        self.provide(state, given)
        self.model.arrange(state, given)
        rule = SERVER_FAULTS.get(state)
        if rule == "welcome_mail_is_sent":
            self.model.mail_failures = 1
        elif rule is not None:
            self.model.broken.add(rule)

    def provide(self, state: str, given: Mapping[str, Any]) -> None:
        self.values.update(given)
        self.values.update({f"{state}.{name}": value for name, value in given.items()})

    def predicted(self, send: RequestTemplate) -> tuple[Prediction, Any]:
        request = build_request(send, self.values, {})
        chunked = request.chunked is not None
        decoded = decode_request(request.headers, request.body, chunked=chunked)
        prediction = predict(decoded, self.model, *check_route(request, TARGET.path))
        return prediction, prediction.outcomes[0]


def graded(case: Case) -> Iterator[tuple[Mapping[str, Any], Any, Any]]:
    """The terms of each expectation, with its grade in the case and in fuzzing."""
    outcome = Simulation(case).outcome
    for each in case.judged.expect:
        terms = each.terms
        match each.kind:
            case "status":
                yield terms, (terms["status"], each.grade), (outcome.status.slug, outcome.grade)
            case "errors":
                listed = [(error["attr"], error["message"]) for error in terms["errors"]]
                in_case = {one: GRADES.of_errors([one], [], each.cause) for one in listed}
                found = outcome.errors or ()
                yield (
                    terms,
                    in_case,
                    {one: GRADES.of_errors([one], [], outcome.cause) for one in found},
                )
            case "at":
                yield (
                    terms,
                    each.grade,
                    GRADES.basis_of_value(terms, outcome.status, outcome.cause).grade,
                )
            case "stored":
                yield terms, each.grade, GRADES.of_stored(outcome.status, outcome.cause)


def is_about_one(case: Case) -> bool:
    """Whether the grades of the case rest on one request, and not on simultaneous ones."""
    kinds = {each.kind for each in case.judged.expect}
    return bool(kinds) and "outcomes" not in kinds


@pytest.mark.parametrize("area", sorted({each.area for each in load_cases()} - {"stub"}))
def test_each_case_has_the_grades_that_fuzzing_gives_its_request(area: str) -> None:
    differing = {
        case.id: (dict(terms), in_case, in_fuzzing)
        for case in load_cases()
        if case.area == area and case.claims != STUB and is_about_one(case)
        for terms, in_case, in_fuzzing in graded(case)
        if in_case != in_fuzzing
    }
    assert differing == {}


# The status of a request, by its cause

EMAIL, PASSWORD = "ada@tests.test", "correct horse battery"
PLAIN = (("Content-Type", "text/plain"),)
TAKEN = KNOWN.for_rule("email_is_free")
INVALID = KNOWN.for_rule("types_are_right")
MISSING = KNOWN.for_rule("required_params_are_passed")
FAILED = KNOWN.for_rule("lengths_are_kept")


def world() -> WorldModel:
    model = WorldModel({"planoauth": "PlanoAuth"}, frozenset({42}))
    model.add_user(UserModel("client@tests.test", PASSWORD, client=True))
    return model


@pytest.mark.parametrize(
    ("changes", "row", "grade"),
    [
        *(
            ({"client.email": address}, INVALID, DOCUMENTED)
            for address in ("no at", "a@b@c.test", "@c.test", "a@", "a b@c.test")
        ),
        ({"client.company_id": 999_999_999}, INVALID, DOCUMENTED),
        ({"client.company_id": 10**400}, INVALID, DOCUMENTED),
        ({"client.company_id": "42"}, INVALID, DECIDED),
        ({"client.phone": 1}, INVALID, DECIDED),
        ({"application": "unheard-of"}, INVALID, DECIDED),
        ({"view": "unheard-of"}, INVALID, DECIDED),
        ({"session_view": "unheard-of"}, INVALID, DECIDED),
        ({"application": ...}, MISSING, DOCUMENTED),
        ({"client": ...}, MISSING, DOCUMENTED),
        ({"application": None}, MISSING, DECIDED),
        ({"application": " "}, MISSING, DECIDED),
        ({"application": ..., "view": "unheard-of"}, MISSING, DECIDED),
        ({"client.email": "client@tests.test"}, TAKEN, DOCUMENTED),
        ({"client.email": "CLIENT@tests.test"}, TAKEN, DECIDED),
        ({"client.password": ...}, FAILED, DECIDED),
        ({"client.first_name": "x" * 256}, FAILED, DECIDED),
        ({"token": "unheard-of"}, KNOWN.for_rule("token_is_known"), FAMILY),
        ({"token": 1}, KNOWN.for_rule("token_is_known"), FAMILY),
        ({}, KNOWN.success, DOCUMENTED),
        ({"client.company_id": 42, "client.company_name": "Any"}, KNOWN.success, DOCUMENTED),
        ({"enterprise": True}, KNOWN.success, DOCUMENTED),
        ({"enterprise": True, "client.company_id": 42}, KNOWN.success, DECIDED),
        ({"view": "client_read"}, KNOWN.success, FAMILY),
        ({"session_view": "default"}, KNOWN.success, DECIDED),
        ({"colour": "green"}, KNOWN.success, FAMILY),
        ({"client.colour": "green"}, KNOWN.success, FAMILY),
        ({"client.phone": None}, KNOWN.success, DECIDED),
        ({"client.first_name": "x" * 255}, KNOWN.success, FAMILY),
        ({"client.phone": "x" * 255}, KNOWN.success, DECIDED),
        ({"client.password": "x"}, KNOWN.success, DECIDED),
        ({"client.email": f" {EMAIL}"}, KNOWN.success, DECIDED),
        ({"client.email": "a.b+c@tests.test"}, KNOWN.success, DECIDED),
    ],
)
def test_a_status_has_the_grade_of_its_cause(
    changes: dict[str, Any], row: Status, grade: Grade
) -> None:
    params: dict[str, Any] = {
        "application": "planoauth",
        "client": {"email": EMAIL, "password": PASSWORD},
    }
    for path, value in changes.items():
        *container, name = path.split(".")
        changed = params["client"] if container else params
        changed[name] = value
        if value is ...:
            del changed[name]
    body = base64.b64encode(json.dumps(params).encode())
    decoded = decode_request(PLAIN, body)
    (outcome,) = predict(decoded, world()).outcomes
    assert (outcome.status, outcome.grade) == (row, grade)
    # A case that is saved to the corpus has the same grades.
    finding = Finding.of("status", grade, row.slug, "another", met=False)
    exchange = Exchange("send", HttpRequest("POST", TARGET.path, PLAIN, body), params)
    violation = ContractViolation("layer", exchange, [finding], RequestTemplate(), [outcome])
    text = json.dumps({"area": AREA, "about": "Saved.", "cases": [build_case(violation)]})
    (saved,) = parse_cases({"saved.yaml": text}, KNOWN, {})
    assert saved.judged.expect[0].grade is grade
    errors = [each for each in saved.judged.expect if each.kind == "errors"]
    assert [each.cause for each in errors] == [outcome.cause for _ in errors]


@pytest.mark.parametrize(
    ("method", "path", "grade"),
    [
        ("POST", "/api/v1/clients/elsewhere", DOCUMENTED),
        ("PUT", "/api/v1/clients/register", DECIDED),
        ("POST", "/api/v1/clients/register/", DECIDED),
        ("POST", "/API/v1/clients/register", DECIDED),
    ],
)
def test_an_unknown_path_is_documented_but_not_another_method(
    method: str, path: str, grade: Grade
) -> None:
    request = HttpRequest(method, path, PLAIN, b"e30=")
    broken, _ = check_route(request, TARGET.path)
    assert [(each.rule, each.grade) for each in broken] == [("route_exists", grade)]


@pytest.mark.parametrize(
    ("headers", "body", "rule", "grade"),
    [
        ({"Content-Type": "application/json"}, "e30=", "content_type_is_accepted", DOCUMENTED),
        ({}, "e30=", "content_type_is_accepted", DECIDED),
        (
            {"Content-Type": "text/plain", "Content-Encoding": "gzip"},
            "e30=",
            "content_type_is_accepted",
            DECIDED,
        ),
        ({"Content-Type": "text/plain"}, '{"application": 1}', "body_is_base64", DOCUMENTED),
        ({"Content-Type": "text/plain"}, "e30", "body_is_base64", DECIDED),
        ({"Content-Type": "text/plain"}, "ew==", "body_is_json", DECIDED),
        ({"Content-Type": "text/plain"}, "", "params_are_passed", DECIDED),
        ({"Content-Type": "text/plain"}, "e30=", "params_are_passed", DECIDED),
    ],
)
def test_a_fault_of_the_transport_has_the_grade_of_its_cause(
    headers: dict[str, str], body: str, rule: str, grade: Grade
) -> None:
    (broken,) = [
        each
        for each in decode_request(tuple(headers.items()), body.encode()).broken
        if each.rule == rule
    ]
    assert broken.grade is grade
