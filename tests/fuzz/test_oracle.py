"""The predictions of the oracle for parameters, for each row of the contract."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from clients_register.conformance.fuzz.oracle import Prediction, predict
from clients_register.conformance.fuzz.request_decoding import decode_request
from clients_register.conformance.fuzz.response_checks import apply_outcome
from clients_register.conformance.fuzz.world_model import (
    MAX_AGE,
    MAX_IDLE,
    UNKNOWN_COMPANY,
    AddressForm,
    SessionModel,
    UserModel,
    WorldModel,
    address_key,
    classify_address,
    loose_address_key,
)
from clients_register.conformance.grades import Grade
from clients_register.spec.statuses import load_statuses

PLAIN = (("Content-Type", "text/plain"),)
EMAIL = "ada@example.test"


@pytest.fixture
def world() -> WorldModel:
    made = WorldModel(
        {"planoauth": "PlanoAuth"}, frozenset({42}), possibly_known=frozenset({"planox2"})
    )
    made.add_user(UserModel("client@a.test", "password of client", client=True))
    made.add_user(UserModel("liaison@a.test", "password of liaison", staff=True))
    made.add_user(UserModel("nobody@a.test", "password of nobody"))
    people = made.users
    day = timedelta(days=1)
    made.now = 10 * day
    for name, person, age, idle in (
        ("live", "client@a.test", day, day),
        ("at-the-limits", "liaison@a.test", MAX_AGE, MAX_IDLE),
        ("old", "client@a.test", MAX_AGE + timedelta(milliseconds=1), day),
        ("unused", "client@a.test", day * 5, MAX_IDLE + timedelta(milliseconds=1)),
        ("roleless", "nobody@a.test", day, day),
    ):
        made.sessions[name] = SessionModel(
            people[person], "planoauth", made.now - age, made.now - idle
        )
    made.application_tokens = frozenset({"application"})
    return made


def params(**changes: Any) -> dict[str, Any]:
    client = {"email": EMAIL, "password": "password of ada"} | changes.pop("client", {})
    return {"application": "planoauth", "client": client} | changes


def asked(world: WorldModel, sent: Any) -> Prediction:
    return predict(decode_request(PLAIN, base64.b64encode(json.dumps(sent).encode())), world)


def slugs(allowed: Prediction) -> list[str]:
    return [each.status.slug for each in allowed.outcomes]


@pytest.mark.parametrize(
    ("changes", "slug", "errors"),
    [
        ({}, "action-successful", None),
        ({"further": [1], "view": None, "session_view": " \t"}, "action-successful", None),
        ({"client": {"company_id": 42, "email": f" {EMAIL}\n"}}, "action-successful", None),
        ({"token": "unknown"}, "invalid-token", None),
        ({"token": 1}, "invalid-token", None),
        ({"token": "old"}, "session-expired", None),
        ({"token": "unused"}, "session-expired", None),
        ({"token": "at-the-limits"}, "action-successful", None),
        ({"token": "roleless"}, "client-required", None),
        ({"token": "application"}, "action-successful", None),
        ({"application": None}, "missing-param", [("application", "missing")]),
        ({"application": " "}, "missing-param", [("application", "empty")]),
        ({"client": []}, "invalid-param", [("client", "wrong_type")]),
        ({"enterprise": 1}, "invalid-param", [("enterprise", "wrong_type")]),
        ({"view": "x"}, "invalid-param", [("view", "unrecognized")]),
        ({"application": "x"}, "invalid-param", [("application", "unrecognized")]),
        (
            {"client": {"company_id": 42.0, "email": "x"}},
            "invalid-param",
            [("client.company_id", "wrong_type"), ("client.email", "malformed")],
        ),
        (
            {"client": {"email": "CLIENT@a.test"}},
            "email-already-registered",
            [("client.email", "taken")],
        ),
        (
            {"client": {"email": "a" * 250 + "@a.test", "password": None}},
            "client-validation-failed",
            [("client.email", "too_long"), ("client.password", "missing")],
        ),
        (
            {"client": {"password": "é" * 37, "phone": "x" * 256}},
            "client-validation-failed",
            [("client.password", "too_long"), ("client.phone", "too_long")],
        ),
        (
            {"client": {"password": "\0" * 80}},
            "client-validation-failed",
            [("client.password", "malformed")],
        ),
        (
            {"client": {"email": "liaison@a.test"}},
            "client-validation-failed",
            [("client.password", "mismatch")],
        ),
        (
            {"client": {"email": "liaison@a.test", "password": "password of liaison"}},
            "action-successful",
            None,
        ),
        (
            {"client": {"email": "liaison@a.test"}, "token": "at-the-limits"},
            "action-successful",
            None,
        ),
        (
            {"client": {"email": "liaison@a.test"}, "token": "live"},
            "client-validation-failed",
            [("client.password", "mismatch")],
        ),
        (
            {"client": {"email": "liaison@a.test", "phone": "x" * 256}},
            "client-validation-failed",
            [("client.phone", "too_long")],
        ),
    ],
)
def test_a_request_has_one_right_answer(
    world: WorldModel, changes: dict[str, Any], slug: str, errors: list[tuple[str, str]] | None
) -> None:
    client = changes.get("client", {})
    sent = params(**changes) if isinstance(client, dict) else {**params(), **changes}
    (outcome,) = asked(world, sent).outcomes
    assert outcome.status.slug == slug
    assert outcome.errors == (None if errors is None else tuple(errors))


def test_the_earlier_row_answers_whatever_else_is_wrong(world: WorldModel) -> None:
    world.broken = {"route_is_deployed"}
    assert slugs(asked(world, {})) == ["route-not-found"]
    world.broken = {"route_is_deployed", "service_is_deployed"}
    assert slugs(asked(world, {})) == ["service-not-found"]


def test_a_mail_that_fails_is_told_only_where_all_else_is_right(world: WorldModel) -> None:
    world.mail_failures = 1
    assert slugs(asked(world, params())) == ["mandrill-email-failed"]
    assert slugs(asked(world, params(view="x"))) == ["invalid-param"]


def test_what_the_contract_leaves_open_has_several_right_answers(world: WorldModel) -> None:
    assert slugs(asked(world, params(client={"email": "é@a.test"}))) == [
        "action-successful",
        "invalid-param",
    ]
    assert slugs(asked(world, params(application="planox2"))) == [
        "action-successful",
        "invalid-param",
    ]


@pytest.mark.parametrize(
    ("number", "uncertain"),
    [(42, False), (1, True), (43, True), (UNKNOWN_COMPANY, False), (0, False), (-1, False)],
)
def test_another_server_may_know_other_companies(
    world: WorldModel, number: int, uncertain: bool
) -> None:
    asked_for = params(client={"company_id": number})
    assert len(asked(world, asked_for).outcomes) == 1
    world.has_other_companies = True
    assert len(asked(world, asked_for).outcomes) == 1 + uncertain


def test_what_rests_on_the_order_of_rows_is_our_choice(world: WorldModel) -> None:
    (both,) = asked(world, params(application=None, view="x")).outcomes
    (one,) = asked(world, {"client": params()["client"]}).outcomes
    assert (both.grade, one.grade) == (Grade.DECIDED, Grade.DOCUMENTED)


def test_the_other_spelling_of_a_status_is_as_right(world: WorldModel) -> None:
    taken = asked(world, params(client={"email": "client@a.test"}))
    (alias,) = load_statuses().aliases
    assert taken.outcomes_of(alias.slug) == taken.outcomes_of(alias.alias_of) == taken.outcomes


def test_a_success_makes_a_client_with_a_session(world: WorldModel) -> None:
    allowed = asked(world, params())
    apply_outcome(world, allowed, allowed.outcomes[0], "token")
    assert slugs(asked(world, params())) == ["email-already-registered"]
    assert slugs(asked(world, params(token="token", client={"email": "b@a.test"}))) == [
        "action-successful"
    ]


def test_a_session_that_is_used_lives_on_and_a_refused_one_does_not(world: WorldModel) -> None:
    for token in ("live", "unused"):
        allowed = asked(world, params(token=token, view="x"))
        apply_outcome(world, allowed, allowed.outcomes[0], None)
    assert world.sessions["live"].used == world.now
    assert world.sessions["unused"].used < world.now


def test_a_failed_mail_leaves_the_client_and_no_session(world: WorldModel) -> None:
    world.mail_failures = 1
    allowed = asked(world, params())
    apply_outcome(world, allowed, allowed.outcomes[0], None)
    owner = world.find_user(EMAIL)
    assert owner is not None
    assert owner.client
    assert all(each.user is not owner for each in world.sessions.values())


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("a.b+c!#$%&'*/=?^_`{|}~-@a-1.b.test", AddressForm.VALID),
        ("x" * 64 + "@a.test", AddressForm.VALID),
        ("a", AddressForm.MALFORMED),
        ("a@@b.test", AddressForm.MALFORMED),
        ("@b.test", AddressForm.MALFORMED),
        ("a@", AddressForm.MALFORMED),
        ("a b@c.test", AddressForm.MALFORMED),
        ('"a b"@c.test', AddressForm.OPEN),
        ("x" * 65 + "@a.test", AddressForm.OPEN),
        ("a..b@c.test", AddressForm.OPEN),
        ("a@b", AddressForm.OPEN),
        ("a@-b.test", AddressForm.OPEN),
        ("a@b.invalid", AddressForm.OPEN),
        ("a@b.example.com", AddressForm.OPEN),
        ("a@example.test", AddressForm.VALID),
        ("a@xn--bcher-kva.test", AddressForm.OPEN),
        ("a@bücher.test", AddressForm.OPEN),
        ("a\0@b.test", AddressForm.OPEN),
    ],
)
def test_an_address_is_good_or_malformed_or_open(address: str, wanted: AddressForm) -> None:
    assert classify_address(address) is wanted


def test_letter_case_does_not_distinguish_and_other_folding_may_not() -> None:
    assert address_key("A@B.test") == address_key("a@b.TEST")
    assert address_key("Ä@b.test") != address_key("ä@b.test")
    assert loose_address_key("Ä@bücher.test") == loose_address_key("ä@xn--bcher-kva.test")
