"""Worlds can be saved as snapshots, which are restored, copied and listed."""

from collections.abc import Callable
from typing import Any

import pytest
from support.live import LiveStub, registration

from clients_register.handlers.stub.snapshots import MAX_SNAPSHOTS

PATHS = ("clients", "sessions", "outbox", "clock", "next", "faults")


def state(stub: LiveStub, world: str | None) -> dict[str, Any]:
    """Returns everything that a snapshot contains. Comparable only while the clock is frozen."""
    return {path: stub.control("GET", f"/{path}", world=world).json() for path in PATHS}


def use(stub: LiveStub, world: str | None) -> None:
    """Changes everything that a snapshot contains."""
    stub.registered("someone@tests.test", world)
    stub.registered("liaison@personas.test", world, client={"password": "password of liaison"})
    stub.control("PUT", "/sessions/mine", {"email": "someone@tests.test"}, world)
    stub.control("DELETE", "/sessions/liaison-session", world=world)
    stub.control("PUT", "/next", [{"slug": "missing-param", "after": 1, "times": 3}], world)
    stub.control("PUT", "/faults", {"mail_failures": 2}, world)
    stub.control("PUT", "/clock", {"advance": "P1D", "frozen": True}, world)


def save(stub: LiveStub, world: str | None, name: str) -> Any:
    return stub.control("PUT", f"/snapshots/{name}", world=world)


def restore(stub: LiveStub, world: str | None, name: str) -> Any:
    return stub.control("POST", "/reset", {"snapshot": name}, world)


def names(stub: LiveStub) -> list[str]:
    return [each["name"] for each in stub.control("GET", "/snapshots").json()]


@pytest.fixture
def stub(stub: LiveStub) -> LiveStub:
    """Its clock stands still, so that states can be compared."""
    stub.control("PUT", "/clock", {"frozen": True})
    return stub


@pytest.mark.parametrize("world", [None, "a"])
def test_a_world_is_restored_as_it_was_saved(stub: LiveStub, world: str | None) -> None:
    use(stub, world)
    saved = state(stub, world)
    save(stub, world, "used")
    stub.registered("somebody.else@tests.test", world)
    stub.control("POST", "/reset", world=world)
    assert state(stub, world) != saved
    assert restore(stub, world, "used").status_code == 204
    assert state(stub, world) == saved


def test_a_snapshot_does_not_change_with_any_world(stub: LiveStub) -> None:
    use(stub, "a")
    saved = state(stub, "a")
    save(stub, "a", "used")
    for _ in range(2):
        restore(stub, "b", "used")
        assert state(stub, "b") == saved
        # Uses up the script and the faults that were restored.
        for number in range(8):
            stub.registered(f"{number}@tests.test", "b")
        stub.control("PUT", "/clock", {"frozen": False, "advance": "P9D"}, "b")


def test_ids_continue_as_after_the_save(stub: LiveStub) -> None:
    save(stub, "a", "start")
    first = stub.sent(registration("ada@tests.test"), "a").json()["data"]["id"]
    restore(stub, "a", "start")
    assert stub.sent(registration("eve@tests.test"), "a").json()["data"]["id"] == first


def test_tokens_of_a_snapshot_are_known_where_it_is_restored(stub: LiveStub) -> None:
    stub.control("PUT", "/sessions/mine", {"email": "client@personas.test"}, "a")
    save(stub, "a", "session")
    restore(stub, "b", "session")
    tokens = [each["token"] for each in stub.control("GET", "/sessions", world="b").json()]
    assert "mine" in tokens
    assert stub.registered("liaison@personas.test", "b", token="nobody") == "invalid-token"
    assert stub.registered("other@tests.test", "b", token="mine") != "invalid-token"


def test_restoring_empties_the_request_log_and_keeps_the_sum_of_the_coverage(
    stub: LiveStub,
) -> None:
    save(stub, "a", "start")
    stub.registered("ada@tests.test", "a")
    restore(stub, "a", "start")
    assert stub.control("GET", "/requests", world="a").json() == []
    assert stub.control("GET", "/coverage", world="a").json()["met"] == 0
    assert stub.control("GET", "/coverage").json()["met"] == 1


def test_a_world_is_created_from_a_snapshot_of_a_deleted_one(stub: LiveStub) -> None:
    use(stub, "a")
    saved = state(stub, "a")
    save(stub, "a", "used")
    stub.control("DELETE", "/worlds/a")
    assert stub.control("PUT", "/worlds/b", {"snapshot": "used"}).status_code == 200
    assert state(stub, "b") == saved


def test_snapshots_are_listed_with_what_they_contain(stub: LiveStub) -> None:
    use(stub, "a")
    (shown,) = save(stub, "a", "used").json()
    worlds = {each["name"]: each for each in stub.control("GET", "/worlds").json()}
    assert shown == {
        "name": "used",
        "world": "a",
        "saved_at": stub.control("GET", "/clock", world="a").json()["now"],
        "clients": worlds["a"]["clients"],
        "sessions": worlds["a"]["sessions"],
        "mails": worlds["a"]["mails"],
        "script": 1,
        "faults": stub.control("GET", "/faults", world="a").json(),
    }
    assert shown["sessions"] == len(stub.control("GET", "/sessions", world="a").json())
    assert shown["mails"] == len(stub.control("GET", "/outbox", world="a").json())


def test_a_snapshot_of_the_same_name_is_replaced(stub: LiveStub) -> None:
    save(stub, "a", "mine")
    before = state(stub, "a")
    use(stub, "a")
    save(stub, "a", "mine")
    assert names(stub) == ["mine"]
    restore(stub, "b", "mine")
    assert state(stub, "b") == state(stub, "a") != before


def test_a_snapshot_can_be_deleted(stub: LiveStub) -> None:
    save(stub, None, "a")
    save(stub, None, "b")
    assert [each["name"] for each in stub.control("DELETE", "/snapshots/a").json()] == ["b"]
    assert names(stub) == ["b"]


UNKNOWN: dict[str, Callable[[LiveStub], Any]] = {
    "restored": lambda stub: restore(stub, None, "usde"),
    "copied": lambda stub: stub.control("PUT", "/worlds/b", {"snapshot": "usde"}),
    "deleted": lambda stub: stub.control("DELETE", "/snapshots/usde"),
}


@pytest.mark.parametrize("how", UNKNOWN)
def test_an_unknown_snapshot_changes_nothing_and_the_closest_name_is_suggested(
    stub: LiveStub, how: str
) -> None:
    save(stub, None, "used")
    use(stub, None)
    before = state(stub, None)
    response = UNKNOWN[how](stub)
    assert (response.status_code, response.headers["Mock-Error"]) == (404, "no-such-snapshot")
    assert "used" in response.json()["hint"]
    assert state(stub, None) == before
    assert [each["name"] for each in stub.control("GET", "/worlds").json()] == ["default"]


@pytest.mark.parametrize("name", ["a b", "ü", "x" * 65, "a.b"])
def test_a_bad_name_is_refused(stub: LiveStub, name: str) -> None:
    response = save(stub, None, name)
    assert (response.status_code, response.headers["Mock-Error"]) == (400, "bad-snapshot")
    assert names(stub) == []


def test_there_is_room_for_so_many_snapshots(stub: LiveStub) -> None:
    for number in range(MAX_SNAPSHOTS):
        assert save(stub, None, str(number)).status_code == 200
    response = save(stub, None, "another")
    assert (response.status_code, response.headers["Mock-Error"]) == (400, "too-many-snapshots")
    assert save(stub, None, "0").status_code == 200
    assert len(names(stub)) == MAX_SNAPSHOTS


def test_a_world_is_created_from_one_thing(stub: LiveStub) -> None:
    save(stub, None, "a")
    response = stub.control("PUT", "/worlds/b", {"snapshot": "a", "copy": "default"})
    assert (response.status_code, response.headers["Mock-Error"]) == (400, "two-sources")
