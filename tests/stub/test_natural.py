"""Every status by its natural cause, arranged by the control plane alone."""

from datetime import timedelta
from typing import Any

import pytest
from support.live import LiveStub

from clients_register.handlers.sessions import MAX_AGE, MAX_IDLE
from clients_register.spec.statuses import load_statuses

SLUGS = [row.slug for row in load_statuses().rows]
TOKEN = "a-token-of-mine"
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("slug", SLUGS)
def test_the_arrangement_that_is_offered_causes_the_status(
    shared_stub: LiveStub, world: str, slug: str
) -> None:
    offered = {each["slug"]: each for each in shared_stub.control("GET", "/statuses").json()}[slug]
    shared_stub.control("PUT", "/faults", offered["arrange"], world)
    request = offered["request"]
    answer = shared_stub.http.request(
        request["method"],
        shared_stub.at(request["path"], world),
        headers=request["headers"],
        content=request["body"].encode(),
    )
    assert (answer.json()["status"], answer.status_code) == (slug, offered["code"])
    assert "Mock-Forced" not in answer.headers


def test_a_spelling_that_a_setting_decides_is_offered_without_an_arrangement(
    shared_stub: LiveStub,
) -> None:
    offered = shared_stub.control("GET", "/statuses").json()
    assert [each["slug"] for each in offered if each["arrange"] is None] == [
        "email-already-registerd"
    ]


def test_a_crash_in_the_handler_strikes_after_all_rules_and_leaves_nothing(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    shared_stub.control("PUT", "/faults", {"crash": "in-handler"}, world)
    assert shared_stub.registered(email, world, enterprise="yes") == "invalid-param"
    assert shared_stub.registered(email, world) == "application-crash"
    shared_stub.control("DELETE", "/faults", world=world)
    assert shared_stub.registered(email, world) == "action-successful"


def test_mails_fail_as_often_as_asked_and_their_clients_stay(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    shared_stub.control("PUT", "/faults", {"mail_failures": 2}, world)
    statuses = [shared_stub.registered(f"{number}.{email}", world) for number in range(3)]
    assert statuses == ["mandrill-email-failed"] * 2 + ["action-successful"]
    assert shared_stub.registered(f"0.{email}", world) == "email-already-registered"
    (mail,) = shared_stub.control("GET", "/outbox", world=world).json()
    assert mail["to"] == f"2.{email}"


def opened(stub: LiveStub, world: str, email: str) -> None:
    """Registers `email` in `world`, and puts a session of theirs under TOKEN, used just now."""
    stub.control("PUT", "/clock", {"frozen": True}, world)
    assert stub.registered(email, world) == "action-successful"
    stub.control("PUT", f"/sessions/{TOKEN}", {"email": email}, world)
    assert stub.registered(f"first.{email}", world, token=TOKEN) == "action-successful"


def kept(stub: LiveStub, world: str) -> Any:
    (session,) = (
        each
        for each in stub.control("GET", "/sessions", world=world).json()
        if each["token"] == TOKEN
    )
    return session


def advance(stub: LiveStub, world: str, delta: timedelta) -> None:
    duration = f"PT{int(delta.total_seconds())}S"
    assert stub.control("PUT", "/clock", {"advance": duration}, world).status_code == 200


@pytest.mark.parametrize(
    ("beyond", "status"),
    [
        (-SECOND, "action-successful"),
        (timedelta(), "action-successful"),
        (SECOND, "session-expired"),
    ],
)
def test_an_unused_session_ends_after_72_hours(
    shared_stub: LiveStub, world: str, email: str, beyond: timedelta, status: str
) -> None:
    opened(shared_stub, world, email)
    advance(shared_stub, world, MAX_IDLE + beyond)
    assert shared_stub.registered(f"next.{email}", world, token=TOKEN) == status


@pytest.mark.parametrize(
    ("beyond", "status"),
    [
        (-SECOND, "action-successful"),
        (timedelta(), "action-successful"),
        (SECOND, "session-expired"),
    ],
)
def test_a_session_that_is_used_ends_after_seven_days(
    shared_stub: LiveStub, world: str, email: str, beyond: timedelta, status: str
) -> None:
    opened(shared_stub, world, email)
    # A minted session is an hour old.
    steps = (MAX_IDLE, MAX_IDLE, MAX_AGE - 2 * MAX_IDLE - timedelta(hours=1) + beyond)
    for number, step in enumerate(steps):
        advance(shared_stub, world, step)
        # Each use moves the limit of idleness, and none the limit of age.
        met = shared_stub.registered(f"{number}.{email}", world, token=TOKEN)
        assert met == (status if step is steps[-1] else "action-successful")


def test_a_remembered_session_ends_never(shared_stub: LiveStub, world: str, email: str) -> None:
    opened(shared_stub, world, email)
    shared_stub.control("PUT", f"/sessions/{TOKEN}", {"email": email, "state": "remembered"}, world)
    advance(shared_stub, world, 10 * MAX_AGE)
    assert shared_stub.registered(f"next.{email}", world, token=TOKEN) == "action-successful"
    assert kept(shared_stub, world)["expires_at"] is None
