"""The people and sessions of a world: shown, minted, and brought back."""

from typing import Any

import pytest
from support.live import LiveStub, registration

LIAISON = "liaison@personas.test"
PROOF = {"client": {"password": "password of liaison"}}


def people(stub: LiveStub, world: str, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stub.control("GET", f"/clients{query}", world=world).json()
    return found


def sessions(stub: LiveStub, world: str) -> dict[str | None, str]:
    """Token -> state."""
    found = stub.control("GET", "/sessions", world=world).json()
    return {each["token"]: each["state"] for each in found}


def test_all_personas_are_listed_with_what_a_test_needs_to_be_one(
    shared_stub: LiveStub, world: str
) -> None:
    found = {each["persona"]: each for each in people(shared_stub, world)}
    assert {"client", "liaison", "employee", "roleless", "enterprise-client"} <= set(found)
    assert found["liaison"] == {
        "user_id": 2,
        "email": LIAISON,
        "persona": "liaison",
        "password": "password of liaison",
        "roles": ["liaison"],
        "client": None,
    }
    assert found["liaison-without-password"]["password"] is None
    assert found["client"]["client"]["first_name"] == "Clara"


def test_who_registers_is_listed_without_a_password(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    envelope = shared_stub.sent(registration(email, view="client_read"), world).json()
    (found,) = people(shared_stub, world, f"?email={email}")
    assert (found["persona"], found["password"], found["roles"]) == (None, None, [])
    assert found["client"] == envelope["data"]
    assert found["user_id"] == envelope["data"]["user_id"]


@pytest.mark.parametrize(
    "asked", ["client@personas.test", "CLIENT@Personas.TEST", "%20client@personas.test%20"]
)
def test_somebody_is_found_by_address_in_whatever_case(
    shared_stub: LiveStub, world: str, asked: str
) -> None:
    found = people(shared_stub, world, f"?email={asked}")
    assert [each["persona"] for each in found] == ["client"]


@pytest.mark.parametrize("asked", ["nobody@personas.test", "no address", ""])
def test_nobody_is_found_by_an_address_that_nobody_has(
    shared_stub: LiveStub, world: str, asked: str
) -> None:
    assert people(shared_stub, world, f"?email={asked}") == []


def test_a_persona_who_became_a_client_is_as_at_the_start_again(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    before = people(shared_stub, world, f"?email={LIAISON}")
    assert shared_stub.registered(LIAISON, world, **PROOF) == "action-successful"
    assert shared_stub.registered(email, world) == "action-successful"
    assert people(shared_stub, world, f"?email={LIAISON}") != before
    assert shared_stub.control("PUT", "/clients/liaison", world=world).json() == before
    assert people(shared_stub, world, f"?email={LIAISON}") == before
    assert shared_stub.registered(email, world) == "email-already-registered"
    assert shared_stub.registered(LIAISON, world, **PROOF) == "action-successful"


def test_restoring_a_persona_brings_their_sessions_back_and_no_others(
    shared_stub: LiveStub, world: str
) -> None:
    before = sessions(shared_stub, world)
    shared_stub.control("PUT", "/sessions/of-liaison", {"email": LIAISON}, world)
    shared_stub.control("PUT", "/sessions/of-client", {"email": "client@personas.test"}, world)
    shared_stub.control("PUT", "/clients/liaison", world=world)
    assert sessions(shared_stub, world) == before | {"of-client": "live"}


def test_restoring_all_leaves_the_personas_alone(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    before = people(shared_stub, world), sessions(shared_stub, world)
    shared_stub.registered(LIAISON, world, **PROOF)
    shared_stub.registered(email, world)
    assert shared_stub.control("DELETE", "/clients", world=world).json() == before[0]
    assert (people(shared_stub, world), sessions(shared_stub, world)) == before
    assert shared_stub.registered(email, world) == "action-successful"


STATES = [
    ("live", "action-successful"),
    ("too-old", "session-expired"),
    ("unused", "session-expired"),
    ("remembered", "action-successful"),
]


@pytest.mark.parametrize(("state", "status"), STATES)
def test_a_minted_session_is_in_the_state_that_was_asked_for(
    shared_stub: LiveStub, world: str, email: str, state: str, status: str
) -> None:
    minted = shared_stub.control("PUT", "/sessions/mine", {"email": LIAISON, "state": state}, world)
    (shown,) = minted.json()
    assert (shown["token"], shown["state"], shown["email"]) == ("mine", state, LIAISON)
    assert (shown["expires_at"] is None) == (state == "remembered")
    assert sessions(shared_stub, world)["mine"] == state
    assert shared_stub.registered(email, world, token="mine") == status


def test_sessions_are_listed_by_their_users_and_of_one_user_the_oldest_first(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    shared_stub.registered(email, world)
    for token, state in (("new", "live"), ("old", "too-old"), ("eldest", "remembered")):
        shared_stub.control("PUT", f"/sessions/{token}", {"email": LIAISON, "state": state}, world)
    listed = shared_stub.control("GET", "/sessions", world=world).json()
    ages = [(each["user_id"], each["created_at"]) for each in listed]
    assert ages == sorted(ages)
    tokens = [each["token"] for each in listed]
    assert tokens.index("eldest") < tokens.index("old") < tokens.index("new")
    assert tokens[-1] is None, "who came last has the highest id"


def test_without_a_state_it_is_live_and_for_the_first_application(
    shared_stub: LiveStub, world: str
) -> None:
    (shown,) = shared_stub.control("PUT", "/sessions/mine", {"email": LIAISON}, world).json()
    assert (shown["state"], shown["application"]) == ("live", "planoauth")


def test_a_token_that_is_minted_again_is_in_the_newer_state(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    for state in ("too-old", "live"):
        body = {"email": LIAISON, "state": state, "application": "planox2"}
        shared_stub.control("PUT", "/sessions/mine", body, world)
    assert shared_stub.registered(email, world, token="mine") == "action-successful"


def test_a_session_of_a_user_without_a_role_is_told_to_become_a_client(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    shared_stub.control("PUT", "/sessions/mine", {"email": "ROLELESS@personas.test"}, world)
    assert shared_stub.registered(email, world, token="mine") == "client-required"


def test_a_state_follows_from_the_clock(stub: LiveStub, world: str, email: str) -> None:
    stub.control("PUT", "/sessions/mine", {"email": LIAISON}, world)
    stub.control("PUT", "/clock", {"advance": "PT72H"}, world)
    assert sessions(stub, world)["mine"] == "unused"
    assert stub.registered(email, world, token="mine") == "session-expired"


def test_the_token_of_a_session_that_the_route_made_is_not_known(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    shared_stub.registered(email, world)
    assert sessions(shared_stub, world)[None] == "live"


def test_a_session_is_found_by_its_token_whoever_made_it(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    token = shared_stub.sent(registration(email), world).json()["session"]["token"]
    (found,) = shared_stub.control("GET", f"/sessions/{token}", world=world).json()
    assert (found["email"], found["state"]) == (email, "live")


def test_no_session_is_found_by_an_unknown_token(shared_stub: LiveStub, world: str) -> None:
    answer = shared_stub.control("GET", "/sessions/unheard-of", world=world)
    assert (answer.status_code, answer.json()["title"]) == (404, "No such session")


def test_restored_sessions_are_those_of_the_start(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    before = sessions(shared_stub, world)
    shared_stub.control("PUT", "/sessions/mine", {"email": LIAISON}, world)
    shared_stub.control(
        "PUT", "/sessions/client-session", {"email": LIAISON, "state": "unused"}, world
    )
    token = shared_stub.sent(registration(email), world).json()["session"]["token"]
    assert len(shared_stub.control("DELETE", "/sessions", world=world).json()) == len(before)
    assert sessions(shared_stub, world) == before
    for gone in ("mine", token):
        assert shared_stub.registered(f"next.{email}", world, token=gone) == "invalid-token"
    assert shared_stub.registered(email, world) == "email-already-registered"


def test_personas_sessions_are_live_again_after_they_are_restored_later(
    stub: LiveStub, world: str
) -> None:
    before = sessions(stub, world)
    stub.control("PUT", "/clock", {"advance": "P30D"}, world)
    assert sessions(stub, world)["client-session"] == "too-old"
    stub.control("DELETE", "/sessions", world=world)
    assert sessions(stub, world) == before
