"""Two stubs on one database are one stub: whichever is asked, the other knows of it."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.hang import LIMIT
from support.live import registration
from support.postgres import Server
from support.stub import WAIT, LiveStub, seen, stub_on

from clients_register.handlers.store import StoreError

LIAISON = {"client": {"password": "password of liaison"}}


@pytest.fixture(scope="module")
def both(postgres: Server) -> Iterator[tuple[LiveStub, LiveStub]]:
    """Two stubs for all tests of the module, each of which keeps to a world of its own."""
    name = postgres.made()
    with stub_on(postgres, name) as one, stub_on(postgres, name) as other:
        yield one, other


@pytest.fixture
def one(both: tuple[LiveStub, LiveStub]) -> LiveStub:
    return both[0]


@pytest.fixture
def other(both: tuple[LiveStub, LiveStub]) -> LiveStub:
    return both[1]


def in_turn(stubs: tuple[LiveStub, LiveStub], world: str, addresses: list[str]) -> Counter[str]:
    """How often each status came of registering `addresses`, many at once, at each stub in turn."""

    def registered(number: int) -> str:
        return stubs[number % 2].registered(addresses[number], world)

    with ThreadPoolExecutor(16) as threads:
        return Counter(threads.map(registered, range(len(addresses))))


def test_a_clock_that_one_moves_is_moved_for_the_other(
    one: LiveStub, other: LiveStub, world: str
) -> None:
    seen(other, "/clock", world)
    one.control("PUT", "/clock", {"advance": "P8D", "frozen": True}, world)
    assert seen(other, "/clock", world) == seen(one, "/clock", world)
    token = "client-session"
    assert other.registered("a@x.test", world, token=token) == "session-expired"
    other.control("DELETE", "/clock", world=world)
    assert one.registered("a@x.test", world, token=token) == "action-successful"


def test_a_world_that_one_uses_is_not_begun_anew_by_the_other(
    one: LiveStub, other: LiveStub, world: str
) -> None:
    one.control("PUT", "/clock", {"advance": "P8D"}, world)
    sent = registration("a@x.test", token="client-session")
    assert other.sent(sent, world).json()["status"] == "session-expired", "it lapsed, and stays so"


def test_a_world_that_both_open_at_once_is_opened_once(
    both: tuple[LiveStub, LiveStub], world: str
) -> None:
    met = in_turn(both, world, ["a@x.test"] * 16)
    assert met == {"action-successful": 1, "email-already-registered": 15}
    assert len(seen(both[0], "/clients", world)) == len(seen(both[0], "/clients", f"{world}-2")) + 1


def test_each_answer_of_a_script_is_given_once(both: tuple[LiveStub, LiveStub], world: str) -> None:
    script = [{"slug": "missing-param", "times": 20}, {"slug": "invalid-token", "times": 20}]
    both[0].control("PUT", "/next", script, world)
    met = in_turn(both, world, [f"{number}@x.test" for number in range(60)])
    assert met == {"missing-param": 20, "invalid-token": 20, "action-successful": 20}
    assert seen(both[1], "/next", world) == []


def test_the_share_of_a_script_strikes_the_same_answers_whoever_gives_them(
    both: tuple[LiveStub, LiveStub], one: LiveStub, world: str
) -> None:
    script = [{"slug": "missing-param", "times": 20, "rate": 0.5, "seed": 7}]
    runs = []
    for place, stubs in (("a", both), ("b", (one, one))):
        one.control("PUT", "/next", script, f"{world}-{place}")
        runs.append([stubs[n % 2].registered(f"{n}@x.test", f"{world}-{place}") for n in range(20)])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 2


def test_as_many_mails_fail_as_were_asked_to(both: tuple[LiveStub, LiveStub], world: str) -> None:
    both[0].control("PUT", "/faults", {"mail_failures": 5}, world)
    met = in_turn(both, world, [f"{number}@x.test" for number in range(16)])
    assert met == {"mandrill-email-failed": 5, "action-successful": 11}
    assert seen(both[1], "/faults", world)["mail_failures"] == 0


@pytest.mark.parametrize(
    ("faults", "status"),
    [
        ({"service_deployed": False}, "service-not-found"),
        ({"route_deployed": False}, "route-not-found"),
        ({"crash": "before-routing"}, "identify-request-error"),
        ({"crash": "in-handler"}, "application-crash"),
    ],
)
def test_what_is_broken_at_one_is_broken_at_the_other(
    one: LiveStub, other: LiveStub, world: str, faults: dict[str, Any], status: str
) -> None:
    assert other.registered("a@x.test", world) == "action-successful"
    one.control("PUT", "/faults", faults, world)
    assert other.registered("b@x.test", world) == status
    one.control("DELETE", "/faults", world=world)
    assert other.registered("b@x.test", world) == "action-successful"


def test_who_has_an_answer_finds_it_in_the_journal_of_the_other(
    both: tuple[LiveStub, LiveStub], world: str
) -> None:
    def found(number: int) -> bool:
        here, there = both[number % 2], both[1 - number % 2]
        answer = here.sent(registration(f"{number}@x.test"), world)
        request_id = answer.headers["X-Request-Id"]
        entry = seen(there, f"/requests/{request_id}", world)
        return bool(entry["answer"]["status"] == answer.json()["status"])

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(found, range(40)))
    numbers = [each["number"] for each in seen(both[0], "/requests", world)]
    assert numbers == list(range(1, 41))


@pytest.mark.parametrize(
    "headers", [{}, {"Prefer": "example=missing-param"}, {"Prefer": "example=nonsense"}]
)
def test_an_entry_is_shown_as_a_stub_on_a_file_shows_it(
    shared_stub: LiveStub, one: LiveStub, other: LiveStub, world: str, headers: dict[str, str]
) -> None:
    sent = registration("a@x.test", enterprise="5")
    entries = []
    for here, there in ((shared_stub, shared_stub), (one, other)):
        here.sent(sent, world, headers)
        (entry,) = seen(there, "/requests", world)
        entries.append({k: v for k, v in entry.items() if k not in ("id", "milliseconds")})
    assert entries[0] == entries[1]


def test_no_secret_is_in_the_tables(postgres: Server, name: str) -> None:
    with stub_on(postgres, name) as stub:
        sent = registration("a@x.test", token="liaison-session")
        session = stub.sent(sent).json()["session"]["token"]
    rows = postgres.told(name, "SELECT shown::text FROM clients_register_stub.requests")
    assert "a@x.test" in str(rows)
    for secret in (sent["client"]["password"], "liaison-session", session):
        assert secret not in str(rows)


@pytest.mark.parametrize("path", ["/outbox", "/requests"])
def test_who_waits_at_one_is_told_of_what_happens_at_the_other(
    one: LiveStub, other: LiveStub, world: str, path: str, waits: threading.Semaphore
) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(seen, one, f"{path}?wait={WAIT}", world)
        assert waits.acquire(timeout=LIMIT)
        other.registered("a@x.test", world)
        assert len(waiting.result(timeout=LIMIT)) == 1


def test_more_may_wait_than_there_are_connections(
    one: LiveStub, world: str, waits: threading.Semaphore
) -> None:
    with ThreadPoolExecutor(20) as threads:
        waiting = [threads.submit(seen, one, f"/outbox?wait={WAIT}", world) for _ in range(20)]
        assert all(waits.acquire(timeout=LIMIT) for _ in waiting)
        assert one.registered("a@x.test", world) == "action-successful"
        assert {len(each.result(timeout=LIMIT)) for each in waiting} == {1}


def test_what_both_have_answered_is_counted_together(postgres: Server, name: str) -> None:
    with stub_on(postgres, name) as one, stub_on(postgres, name) as other:
        one.registered("a@x.test")
        other.sent(registration("b@x.test"), "ann", {"Prefer": "example=missing-param"})
        other.control("DELETE", "/worlds/ann")
        rows = {each["slug"]: each for each in seen(one, "/coverage")["statuses"]}
        assert rows["action-successful"]["natural"] == 1
        assert rows["missing-param"]["forced"] == 1, "that of a world that is gone, too"
        other.control("DELETE", "/coverage")
        assert seen(one, "/coverage")["met"] == 0


def test_a_token_that_one_gives_is_known_to_the_other(
    one: LiveStub, other: LiveStub, world: str
) -> None:
    one.control("PUT", "/sessions/mine", {"email": "liaison@personas.test"}, world)
    assert "mine" in {each["token"] for each in seen(other, "/sessions", world)}
    assert other.registered("a@x.test", world, token="mine") == "action-successful"


def test_a_world_that_one_deletes_is_a_new_one_at_the_other(
    one: LiveStub, other: LiveStub, world: str
) -> None:
    assert other.registered("a@x.test", world) == "action-successful"
    other.control("PUT", "/next", ["missing-param"], world)
    assert world in [each["name"] for each in seen(one, "/worlds")]
    one.control("DELETE", f"/worlds/{world}")
    assert world not in [each["name"] for each in seen(other, "/worlds")]
    assert other.registered("a@x.test", world) == "action-successful"
    assert [each["number"] for each in seen(other, "/requests", world)] == [1]
    persona = registration("liaison@personas.test", **LIAISON)
    assert one.sent(persona, world).json()["status"] == "action-successful"


def test_a_reset_at_one_is_a_reset_at_the_other(one: LiveStub, other: LiveStub, world: str) -> None:
    other.registered("a@x.test", world)
    other.control("PUT", "/clock", {"advance": "P8D"}, world)
    other.control("PUT", "/next", ["missing-param"], world)
    one.control("POST", "/reset", world=world)
    assert other.registered("a@x.test", world) == "action-successful"
    assert seen(other, "/clock", world)["ahead"] == 0


def test_a_copy_of_what_the_other_has_can_be_made(
    one: LiveStub, other: LiveStub, world: str
) -> None:
    other.registered("a@x.test", world)
    other.control("PUT", "/faults", {"mail_failures": 1}, world)
    one.control("PUT", f"/worlds/{world}-copy", {"copy": world})
    assert other.registered("a@x.test", f"{world}-copy") == "email-already-registered"
    assert other.registered("b@x.test", f"{world}-copy") == "mandrill-email-failed"
    assert other.registered("b@x.test", world) == "mandrill-email-failed"


def test_a_world_that_is_removed_during_a_change_is_told(
    one: LiveStub, world: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.registered("a@x.test", world)
    state = one.run(one.app.worlds.named(world)).state
    one.control("DELETE", f"/worlds/{world}")

    async def change() -> None:
        async with state.changing():
            pass

    with pytest.raises(StoreError, match=f"the world {world} was removed by another server"):
        one.run(change())
