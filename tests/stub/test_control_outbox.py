"""The outbox of a world: who was sent what, and waiting for it on the server."""

import threading
from typing import Any

import pytest
from support.limits import LIMIT
from support.live import WAIT, LiveStub, registration


def mails(stub: LiveStub, world: str, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stub.control("GET", f"/outbox{query}", world=world).json()
    return found


def test_the_mail_of_a_registration_is_there_once_it_is_answered(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    answer = shared_stub.sent(registration(f"  {email} "), world)
    (mail,) = mails(shared_stub, world)
    assert (mail["to"], mail["from"]) == (email, "no-reply@planomatic.test")
    assert mail["request_id"] == answer.headers["X-Request-Id"]
    assert mail["sent_at"] == answer.json()["data"]["created_at"]
    assert "" not in (mail["subject"], mail["text"])


def test_mails_are_listed_oldest_first(shared_stub: LiveStub, world: str, email: str) -> None:
    addresses = [f"{number}.{email}" for number in range(3)]
    for address in addresses:
        shared_stub.registered(address, world)
    assert [mail["to"] for mail in mails(shared_stub, world)] == addresses
    latest = shared_stub.control("GET", "/outbox/latest", world=world).json()
    assert latest["to"] == addresses[-1]


@pytest.mark.parametrize("altered", [str, str.upper, lambda text: f"%20{text}"], ids=range(3))
def test_a_mail_is_found_by_its_address_in_whatever_case(
    shared_stub: LiveStub, world: str, email: str, altered: Any
) -> None:
    for address in (email, f"other.{email}"):
        shared_stub.registered(address, world)
    assert [mail["to"] for mail in mails(shared_stub, world, f"?to={altered(email)}")] == [email]
    query = f"/outbox/latest?to={altered(email)}"
    assert shared_stub.control("GET", query, world=world).json()["to"] == email


def test_a_mail_is_found_by_the_request_that_caused_it(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    ids = [
        shared_stub.sent(registration(f"{number}.{email}"), world).headers["X-Request-Id"]
        for number in range(3)
    ]
    found = mails(shared_stub, world, f"?request={ids[1]}")
    assert [mail["to"] for mail in found] == [f"1.{email}"]
    assert mails(shared_stub, world, f"?request={ids[1]}&to=0.{email}") == []


@pytest.mark.parametrize("query", ["?to=nobody@tests.test", "?to=no address", "?request=0", "?to="])
def test_what_is_not_there_is_an_empty_list_and_no_latest(
    shared_stub: LiveStub, world: str, email: str, query: str
) -> None:
    shared_stub.registered(email, world)
    assert mails(shared_stub, world, query) == []
    latest = shared_stub.control("GET", f"/outbox/latest{query}", world=world)
    assert (latest.status_code, latest.headers["Mock-Error"]) == (404, "no-mail")


@pytest.mark.parametrize("path", ["/outbox", "/outbox/latest"])
def test_who_waits_is_answered_as_soon_as_the_mail_comes(
    shared_stub: LiveStub, world: str, email: str, path: str, waits: threading.Semaphore
) -> None:
    found: list[Any] = []
    query = f"?wait={WAIT}&to={email}"

    def wait() -> None:
        found.append(shared_stub.control("GET", f"{path}{query}", world=world).json())

    # Of two mails only the second is waited for.
    waiting = threading.Thread(target=wait)
    waiting.start()
    assert waits.acquire(timeout=LIMIT)
    shared_stub.registered(f"other.{email}", world)
    assert not found
    shared_stub.registered(email, world)
    waiting.join(timeout=LIMIT)
    assert not waiting.is_alive()
    (shown,) = found
    assert [mail["to"] for mail in (shown if isinstance(shown, list) else [shown])] == [email]


def test_a_wait_for_nothing_ends(shared_stub: LiveStub, world: str) -> None:
    assert mails(shared_stub, world, "?wait=0.05") == []
    latest = shared_stub.control("GET", "/outbox/latest?wait=0.05", world=world)
    assert latest.status_code == 404
    assert "0.05 seconds" in latest.json()["detail"]


@pytest.mark.parametrize("forced", ["action-successful", "mandrill-email-failed"])
def test_a_forced_answer_sends_nothing(
    shared_stub: LiveStub, world: str, email: str, forced: str
) -> None:
    shared_stub.sent(registration(email), world, {"Prefer": f"example={forced}"})
    assert mails(shared_stub, world) == []


def test_an_emptied_outbox_is_empty_and_the_clients_stay(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    shared_stub.registered(email, world)
    assert shared_stub.control("DELETE", "/outbox", world=world).status_code == 204
    assert mails(shared_stub, world) == []
    assert shared_stub.registered(email, world) == "email-already-registered"


def test_no_mail_is_seen_from_another_world(shared_stub: LiveStub, world: str, email: str) -> None:
    shared_stub.registered(email, world)
    assert mails(shared_stub, f"{world}-other") == []
