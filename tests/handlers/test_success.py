"""A registration that succeeds: what comes back, what is stored, what is sent."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.live import PASSWORD, START, Live
from support.store import text_of

from clients_register import spec
from clients_register.spec.schemas import views

VIEWS = views(spec.load("openapi"))
FULL: dict[str, Any] = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone": "+1 555-555-5555",
    "company_id": 42,
    "company_name": "Not the name of 42",
}
NOW = "2026-01-15T09:30:00.000Z"


def shown(email: str, envelope: dict[str, Any]) -> dict[str, Any]:
    """All that any view can show of a client registered with FULL; the ids as they came back."""
    return FULL | {
        "id": envelope["data"]["id"],
        "user_id": envelope["session"]["user_id"],
        "email": email,
        "enterprise": False,
        "created_at": NOW,
    }


@pytest.mark.parametrize("view", [None, *VIEWS["client"]])
def test_a_client_comes_back_in_the_view_that_was_asked_for(
    shared: Live, email: str, view: str | None
) -> None:
    envelope = shared.register(email, client=FULL, view=view)
    keys = VIEWS["client"][view or "default"]
    everything = shown(email, envelope)
    assert envelope["data"] == {key: everything[key] for key in keys}


def test_what_was_not_passed_is_null(shared: Live, email: str) -> None:
    data = shared.register(email)["data"]
    assert {key: data[key] for key in FULL} == dict.fromkeys(FULL)


def test_what_is_kept_is_kept_as_sent(shared: Live, email: str) -> None:
    sent = {"first_name": "  Ada ", "phone": "call\nme", "last_name": "e\u0301"}
    data = shared.register(f"\t{email} ", client=sent)["data"]
    assert {key: data[key] for key in sent} == sent
    assert data["email"] == email


def test_the_number_of_a_client_is_never_the_one_of_its_user(shared: Live, email: str) -> None:
    data = [
        shared.register(f"{number}.{email}", view="client_read")["data"] for number in range(20)
    ]
    clients, users = ({entry[key] for entry in data} for key in ("id", "user_id"))
    assert len(clients) == len(users) == 20
    assert not clients & users


def test_a_session_of_the_new_user_is_opened(shared: Live, email: str) -> None:
    envelope = shared.register(email, application="planox2", view="client_read")
    session = envelope["session"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43,}", session.pop("token"))
    assert session == {
        "user_id": envelope["data"]["user_id"],
        "application": "planox2",
        "remember_me": False,
        "created_at": NOW,
        "last_used_at": NOW,
        "expires_at": "2026-01-18T09:30:00.000Z",
    }


def test_the_token_of_the_new_session_is_a_live_one(shared: Live, email: str) -> None:
    token = shared.register(email)["session"]["token"]
    assert shared.register(f"next.{email}", token=token)["code"] == 200


def test_every_session_has_a_token_of_its_own(shared: Live, email: str) -> None:
    tokens = {shared.register(f"{number}.{email}")["session"]["token"] for number in range(20)}
    assert len(tokens) == 20


def test_a_token_that_is_passed_changes_nothing_about_the_new_session(
    shared: Live, email: str
) -> None:
    envelope = shared.register(email, token="client-session", view="client_read")
    assert envelope["session"]["token"] != "client-session"
    assert envelope["session"]["user_id"] == envelope["data"]["user_id"] != 1


@pytest.mark.parametrize(
    ("slug", "name"),
    [("planoauth", "PlanoAuth"), ("planoorder", "PlanoOrder"), ("planox2", "PlanoX2")],
)
def test_the_application_comes_back(shared: Live, email: str, slug: str, name: str) -> None:
    assert shared.register(email, application=slug)["application"] == {"slug": slug, "name": name}


@pytest.mark.parametrize(
    ("enterprise", "company_id", "expected"),
    [
        (True, None, True),
        (True, 42, False),
        (False, None, False),
        (False, 42, False),
        (None, None, False),
        ("", None, False),
    ],
)
def test_enterprise_without_a_company_makes_an_enterprise_client(
    shared: Live, email: str, enterprise: object, company_id: int | None, expected: bool
) -> None:
    envelope = shared.register(email, enterprise=enterprise, client={"company_id": company_id})
    assert envelope["data"]["enterprise"] is expected
    assert envelope["data"]["company_id"] == company_id


def test_the_welcome_mail_goes_to_the_address_as_stored(live: Live) -> None:
    answer = live.post(
        {
            "application": "planoorder",
            "client": {"email": " Ada@Example.TEST ", "password": PASSWORD, "first_name": "Ada"},
        }
    )
    (mail,) = live.run(live.services.store.mails())
    assert mail.recipient == "Ada@Example.TEST"
    assert mail.request_id == answer.headers["X-Request-Id"]
    assert mail.sent_at == START
    assert "PlanoOrder" in mail.subject
    assert "Hello Ada," in mail.text


def test_a_refused_registration_leaves_nothing(live: Live, email: str) -> None:
    before = text_of(live.settings)
    for params in (
        {"application": "nowhere"},
        {"enterprise": "yes"},
        {"client": {"password": "x" * 73}},
        {"client": {"email": "client@personas.test"}},
        {"client": {"email": "liaison@personas.test"}},
        {"token": "nobody's"},
    ):
        assert live.register(email, **params)["code"] in (400, 401)
    assert text_of(live.settings) == before


@settings(max_examples=40)
@given(st.data())
def test_any_well_formed_registration_succeeds_and_comes_back_as_sent(
    shared: Live, email: str, data: st.DataObject
) -> None:
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=255)
    kept = text.filter(lambda value: bool(value.strip("\t\n\v\f\r ")) and "\0" not in value)
    client: dict[str, Any] = {
        name: data.draw(st.none() | kept, label=name)
        for name in ("first_name", "last_name", "phone", "company_name")
    }
    client["company_id"] = data.draw(st.sampled_from([None, 42, 43, 44]))
    number = data.draw(st.integers(0, 2**64), label="makes the address a new one")
    envelope = shared.register(f"{number}.{email}", client=client)
    if envelope["status"] == "email-already-registered":
        return
    assert {name: envelope["data"][name] for name in client} == client
