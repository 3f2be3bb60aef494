"""The second server: every status by its natural cause, and every state of its hook."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.servers import (
    PASSWORD,
    ROUTE,
    STATUSES,
    Reply,
    Second,
    fresh,
    is_refused,
    second_server,
    succeeded,
)

from clients_register import spec
from clients_register.spec.schemas import views

HOUR = 3600


def with_state(state: str) -> Callable[[Second], Reply]:
    """Registers in a state, with its token if it gives one."""

    def cause(second: Second) -> Reply:
        given = second.arrange(state)
        token = {"token": given["token"]} if "token" in given else {}
        return second.register(**token)

    return cause


def taken(second: Second) -> Reply:
    return second.register(second.arrange("client")["client.email"])


def unproven(second: Second) -> Reply:
    return second.register(second.arrange("liaison")["user.email"])


def client(**changes: Any) -> Callable[[Second], Reply]:
    return lambda second: second.register(client=changes)


# Fact -> what breaks it.
CAUSES: dict[str, Callable[[Second], Reply]] = {
    "request_is_identified": with_state("crash-before-routing"),
    "route_exists": lambda second: second.send(path=f"{ROUTE}/"),
    "service_is_deployed": with_state("service-undeployed"),
    "route_is_deployed": with_state("route-undeployed"),
    "content_type_is_accepted": lambda second: second.send(Content_Type="application/json"),
    "body_is_within_the_limit": lambda second: second.send(b" " * 65_537),
    "body_is_base64": lambda second: second.send(b"{}"),
    "body_is_json": lambda second: second.send(b"ew=="),
    "params_are_passed": lambda second: second.post({}),
    "token_is_known": lambda second: second.register(token="nobody's"),
    "session_is_live": with_state("session-too-old"),
    "user_has_a_role": with_state("session-roleless"),
    "required_params_are_passed": lambda second: second.post({"application": " ", "x": 1}),
    "types_are_right": lambda second: second.register(enterprise="true"),
    "email_is_well_formed": client(email="two@at@tests.test"),
    "company_is_known": client(company_id=-1),
    "application_is_known": lambda second: second.register(application="unheard-of"),
    "views_are_known": lambda second: second.register(view="from above"),
    "email_is_free": taken,
    "required_client_fields_are_passed": client(password=None),
    "lengths_are_kept": client(first_name="ä" * 256),
    "password_can_be_hashed": client(password="a\0b"),
    "user_is_proven": unproven,
    "nothing_unforeseen_happens": with_state("crash-in-handler"),
    "welcome_mail_is_sent": with_state("mail-failing"),
}


@pytest.mark.parametrize("fact", [fact for row in STATUSES.rows for fact in row.rules])
def test_each_fact_that_is_broken_answers_its_status(second: Second, fact: str) -> None:
    reply = CAUSES[fact](second)
    row = STATUSES.for_rule(fact)
    assert (reply.code, reply.slug, reply.envelope["code"]) == (row.code, row.slug, row.code)
    carried = {"data", "session", "application", "errors"} & set(reply.envelope)
    assert carried == set(row.carries)


@pytest.mark.parametrize("fact", ["nothing_unforeseen_happens", "welcome_mail_is_sent"])
def test_what_is_left_behind(second: Second, fact: str) -> None:
    email, stored = fresh(), int(fact == "welcome_mail_is_sent")
    second.arrange("mail-failing" if stored else "crash-in-handler")
    assert is_refused(second.register(email), fact)
    assert (second.count("clients", email), second.count("mails", email)) == (stored, 0)
    second.arrange("restore")
    assert succeeded(second.register(email)) is not bool(stored)


@pytest.mark.parametrize("view", views(spec.load("openapi"))["client"])
def test_a_registration_is_answered_in_its_view(second: Second, view: str) -> None:
    shown = views(spec.load("openapi"))
    email = fresh()
    envelope = second.register(email.upper() + "\n", view=view).envelope
    assert set(envelope["data"]) == set(shown["client"][view])
    assert set(envelope["session"]) == set(shown["session"]["default"])
    assert set(envelope["application"]) == set(shown["application"]["default"])
    assert envelope["data"].get("email", email.upper()) == email.upper()
    assert PASSWORD not in str(envelope)
    assert (second.count("clients", email), second.count("mails", email)) == (1, 1)


def test_a_missing_value_is_told_from_an_empty_one(second: Second) -> None:
    reply = second.register(client={"email": "\t", "password": None, "phone": "1" * 256})
    assert reply.faults == [
        ("client.email", "empty"),
        ("client.password", "missing"),
        ("client.phone", "too_long"),
    ]


def test_sixteen_at_once_give_one_client(second: Second) -> None:
    email = fresh()
    with ThreadPoolExecutor(16) as pool:
        slugs = [reply.slug for reply in pool.map(lambda _: second.register(email), range(16))]
    assert slugs.count(STATUSES.success.slug) == 1
    assert slugs.count(STATUSES.for_rule("email_is_free").slug) == 15


@pytest.mark.parametrize(
    "state", ["session-live", "session-remembered", "liaison-session", "application-token"]
)
def test_a_token_lets_in(second: Second, state: str) -> None:
    assert succeeded(with_state(state)(second))


@pytest.mark.parametrize("state", ["session-too-old", "session-unused"])
def test_a_token_has_expired(second: Second, state: str) -> None:
    assert is_refused(with_state(state)(second), "session_is_live")


@pytest.mark.parametrize("state", ["liaison", "liaison-session", "employee-session", "roleless"])
def test_a_user_proves_the_address_by_password(second: Second, state: str) -> None:
    user = second.arrange(state)
    assert is_refused(second.register(user["user.email"]), "user_is_proven")
    proof = {"password": user["user.password"]}
    assert succeeded(second.register(user["user.email"].upper(), client=proof))


@pytest.mark.parametrize(
    "state", ["liaison-session", "liaison-without-password", "employee-session"]
)
def test_a_user_proves_the_address_by_token(second: Second, state: str) -> None:
    user = second.arrange(state)
    assert succeeded(second.register(user["user.email"], token=user["token"]))


def test_states_are_made_side_by_side(second: Second) -> None:
    assert second.arrange("client") != second.arrange("client")
    assert second.hook("unheard-of").code == 404
    assert second.hook("clock-advance").code == 400
    assert second.send(b"[]", path="/hooks").code == 400


@pytest.mark.parametrize("steps", [[72], [72, 72, 24], [60, 60, 48]])
def test_a_session_lives_exactly_to_its_limits(second: Second, steps: list[int]) -> None:
    second.arrange("clock")
    kept, late = (second.arrange("session-live")["token"] for _ in range(2))
    for hours in steps:
        second.arrange("clock-advance", seconds=hours * HOUR)
        assert succeeded(second.register(token=kept))
        if hours != steps[-1]:
            assert succeeded(second.register(token=late))
    second.arrange("clock-advance", seconds=1)
    assert is_refused(second.register(token=late), "session_is_live")


def test_the_session_of_a_user_without_a_role_comes_back(second: Second) -> None:
    second.arrange("clock")
    token = second.arrange("session-roleless")["token"]
    second.arrange("clock-advance", seconds=HOUR)
    session = second.register(token=token, session_view=["no", "view"]).envelope["session"]
    assert set(session) == set(views(spec.load("openapi"))["session"]["default"])
    assert session["token"] == token
    assert session["created_at"] < session["last_used_at"] < session["expires_at"]


def test_the_clock_stands_until_it_is_restored(second: Second) -> None:
    second.arrange("clock")
    made = [second.register().envelope["data"]["created_at"] for _ in range(2)]
    assert made[0] == made[1]
    second.arrange("restore")
    second.arrange("clock-advance", seconds=HOUR)
    assert second.register().envelope["data"]["created_at"] > made[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told_to(number: signal.Signals) -> None:
    with second_server() as second:
        assert succeeded(second.register())
        assert second.stop(number) == 0


@pytest.mark.parametrize(
    ("email", "fact"),
    [
        ("no-at.tests.test", "email_is_well_formed"),
        ("two@at@tests.test", "email_is_well_formed"),
        ("@tests.test", "email_is_well_formed"),
        ("nobody@", "email_is_well_formed"),
        ("in ner@tests.test", "email_is_well_formed"),
        (f"no-at{'x' * 250}", "lengths_are_kept"),
        (7, "types_are_right"),
    ],
)
def test_an_address_that_is_refused(second: Second, email: Any, fact: str) -> None:
    reply = second.register(email)
    assert is_refused(reply, fact)
    assert [attr for attr, _ in reply.faults] == ["client.email"]


@pytest.mark.parametrize("local", ["a" * 64, "!#$%&'*+-/=?^_`{|}~", "a.b+c"])
def test_an_address_that_every_server_accepts(second: Second, local: str) -> None:
    host = fresh().partition("@")[0]
    assert succeeded(second.register(f" {local}@{host}.sub-domain.test\r\n"))


@pytest.mark.parametrize(
    ("company", "passed"),
    [(42, True), (42.0, False), ("42", False), (True, False), (10**99, False)],
)
def test_a_company_is_an_integer_that_is_known(second: Second, company: Any, passed: bool) -> None:
    reply = second.register(enterprise=True, client={"company_id": company})
    assert succeeded(reply) is passed
    if passed:
        assert (reply.envelope["data"]["company_id"], reply.envelope["data"]["enterprise"]) == (
            company,
            False,
        )


@pytest.mark.parametrize(
    ("password", "passed"), [("ä" * 36, True), ("ä" * 36 + "x", False), (" \f ", False)]
)
def test_a_password_has_its_limit_in_bytes(second: Second, password: str, passed: bool) -> None:
    assert succeeded(second.register(client={"password": password})) is passed
