"""An address belongs to one person: it is taken once, and never taken over."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.live import PASSWORD, Live, registration

MISMATCH = [{"attr": "client.password", "message": "mismatch"}]
TAKEN = [{"attr": "client.email", "message": "taken"}]


def claim(live: Live, persona: str, password: str, **changes: Any) -> dict[str, Any]:
    """Registers the address of `persona` with `password`."""
    return live.register(f"{persona}@personas.test", client={"password": password}, **changes)


@pytest.mark.parametrize("spelling", ["{}", " {}\n", "ADA.{}"])
def test_an_address_is_taken_in_whatever_case_and_white_space(
    shared: Live, email: str, spelling: str
) -> None:
    address = f"ada.{email}"
    assert shared.register(address)["code"] == 200
    again = spelling.format(email) if "ADA" in spelling else spelling.format(address)
    envelope = shared.register(again)
    assert (envelope["status"], envelope["errors"]) == ("email-already-registered", TAKEN)


def test_a_taken_address_is_told_even_to_who_knows_the_password(shared: Live) -> None:
    assert claim(shared, "client", "password of client")["errors"] == TAKEN


def test_a_taken_address_is_told_even_to_who_is_logged_in(shared: Live) -> None:
    assert claim(shared, "client", PASSWORD, token="client-session")["errors"] == TAKEN


@pytest.mark.parametrize("persona", ["liaison", "employee", "roleless"])
def test_a_user_becomes_a_client_with_their_password(live: Live, persona: str) -> None:
    envelope = claim(live, persona, f"password of {persona}", view="client_read")
    assert envelope["code"] == 200
    assert envelope["data"]["user_id"] <= 6, "the user who was there"
    assert claim(live, persona, f"password of {persona}")["errors"] == TAKEN


@pytest.mark.parametrize("persona", ["liaison", "liaison-without-password", "employee"])
def test_a_user_becomes_a_client_with_a_live_session(live: Live, persona: str) -> None:
    envelope = claim(live, persona, PASSWORD, token=f"{persona}-session", view="client_read")
    assert envelope["code"] == 200
    assert envelope["session"]["user_id"] == envelope["data"]["user_id"]


@pytest.mark.parametrize(
    ("persona", "token"),
    [
        ("liaison", None),
        ("liaison-without-password", None),
        ("employee", "liaison-session"),
        ("employee", "client-session"),
        ("employee", "planoorder-application"),
        ("roleless", "employee-session"),
    ],
)
def test_nobody_else_does(shared: Live, persona: str, token: str | None) -> None:
    envelope = claim(shared, persona, PASSWORD, token=token)
    assert (envelope["status"], envelope["errors"]) == ("client-validation-failed", MISMATCH)


def test_a_lack_of_proof_is_told_only_where_nothing_else_is_wrong(shared: Live) -> None:
    envelope = claim(shared, "liaison", "x" * 73)
    assert envelope["errors"] == [{"attr": "client.password", "message": "too_long"}]


def test_with_a_session_the_password_must_still_be_a_valid_one(shared: Live) -> None:
    envelope = claim(shared, "liaison", "x" * 73, token="liaison-session")
    assert envelope["errors"] == [{"attr": "client.password", "message": "too_long"}]


def test_the_password_of_a_user_is_never_changed(live: Live) -> None:
    async def password_hash() -> str | None:
        user = await live.services.store.user_by_email("liaison@personas.test")
        assert user is not None
        return user.password_hash

    before = live.run(password_hash())
    assert claim(live, "liaison", PASSWORD, token="liaison-session")["code"] == 200
    assert live.run(password_hash()) == before


def test_a_user_without_a_password_is_given_none(live: Live) -> None:
    persona = "liaison-without-password"
    claim(live, persona, PASSWORD, token=f"{persona}-session")
    user = live.run(live.services.store.user(3))
    assert user is not None
    assert user.client is not None
    assert user.password_hash is None


def test_of_simultaneous_registrations_of_an_address_one_succeeds(live: Live, email: str) -> None:
    def register(number: int) -> str:
        spelling = email.upper() if number % 2 else email
        return str(live.post(registration(spelling)).json()["status"])

    with ThreadPoolExecutor(16) as threads:
        statuses = sorted(threads.map(register, range(16)))
    assert statuses == ["action-successful"] + ["email-already-registered"] * 15


def test_of_simultaneous_claims_of_a_user_one_succeeds(live: Live) -> None:
    def register(_: int) -> str:
        return str(claim(live, "liaison", "password of liaison")["status"])

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(register, range(8)))
    assert statuses == ["action-successful"] + ["email-already-registered"] * 7


def test_the_other_spelling_of_the_status_is_a_setting(start: Any, email: str) -> None:
    live = start(spelling="email-already-registerd")
    live.register(email)
    answer = live.register(email)
    assert (answer["status"], answer["errors"]) == ("email-already-registerd", TAKEN)
