"""Worlds by way of the control plane: listed, copied, deleted, and brought back to the start."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.limits import LIMIT
from support.live import WAIT, LiveStub, registration

# Seconds that a test would wait for nothing, were it not told.


def folder_of(stub: LiveStub) -> Path:
    """Where the files of its worlds are."""
    data = stub.settings.data_file
    return data.with_name(data.name + ".worlds")


def names(stub: LiveStub) -> list[str]:
    return [each["name"] for each in stub.control("GET", "/worlds").json()]


def state(stub: LiveStub, world: str | None) -> dict[str, Any]:
    """All that a world shows of what callers and tests did there."""
    paths = ("clients", "sessions", "outbox", "clock", "next", "faults", "requests", "coverage")
    return {path: stub.control("GET", f"/{path}", world=world).json() for path in paths}


def live_in(stub: LiveStub, world: str | None) -> None:
    """Does something of every kind."""
    stub.registered("someone@tests.test", world)
    stub.registered("liaison@personas.test", world, client={"password": "password of liaison"})
    stub.control("PUT", "/sessions/mine", {"email": "someone@tests.test"}, world)
    stub.control("PUT", "/next", [{"slug": "missing-param", "after": 1}], world)
    stub.control("PUT", "/faults", {"mail_failures": 2}, world)
    stub.control("PUT", "/clock", {"advance": "P1D", "frozen": True}, world)


def test_worlds_are_listed_with_the_default_one_first(stub: LiveStub) -> None:
    stub.registered("someone@tests.test", "b")
    stub.control("GET", "/health", world="A")
    shown = {each.pop("name"): each for each in stub.control("GET", "/worlds").json()}
    assert list(shown) == ["default", "A", "b"]
    personas = shown["default"]["clients"]
    paths = [(shown[name]["prefix"], shown[name]["base"]) for name in ("default", "b")]
    assert paths == [("", "/api/v1"), ("/_world/b", "/_world/b/api/v1")]
    assert (shown["b"]["clients"], shown["b"]["requests"]) == (personas + 1, 1)
    # In a database a world is stored from the first request on, in files when somebody is read.
    assert shown["A"]["clients"] in (None, personas)
    assert shown["A"]["requests"] == 0
    assert shown["b"]["idle_seconds"] >= 0


def test_a_world_that_is_put_is_there_and_as_at_the_start(
    stub: LiveStub, world: str, email: str
) -> None:
    listed = stub.control("PUT", f"/worlds/{world}", {}).json()
    assert [each["name"] for each in listed] == ["default", world] == names(stub)
    assert stub.registered(email, world) == "action-successful"
    stub.control("PUT", f"/worlds/{world}", {})
    assert stub.registered(email, world) == "email-already-registered"


@pytest.mark.parametrize("target", ["new", "used"])
def test_a_copy_holds_what_the_other_holds_but_what_its_callers_did(
    shared_stub: LiveStub, world: str, target: str
) -> None:
    live_in(shared_stub, world)
    copy = f"{world}-{target}"
    if target == "used":
        live_in(shared_stub, copy)
        shared_stub.registered("somebody.else@tests.test", copy)
        shared_stub.control("DELETE", "/requests", world=copy)
        shared_stub.control("DELETE", "/coverage", world=copy)
    shared_stub.control("PUT", f"/worlds/{copy}", {"copy": world})
    copied, source = state(shared_stub, copy), state(shared_stub, world)
    assert (copied.pop("requests"), copied.pop("coverage")["met"]) == ([], 0)
    for path, shown in copied.items():
        assert shown == source[path], path


def test_a_copy_goes_its_own_way(shared_stub: LiveStub, world: str, email: str) -> None:
    live_in(shared_stub, world)
    before = state(shared_stub, world)
    copy = f"{world}-copy"
    shared_stub.control("PUT", f"/worlds/{copy}", {"copy": world})
    for number in range(3):
        shared_stub.registered(f"{number}.{email}", copy)
    shared_stub.control("PUT", "/clock", {"frozen": False, "advance": "P1D"}, copy)
    shared_stub.control("DELETE", "/faults", world=copy)
    assert state(shared_stub, world) == before


def test_a_copy_of_the_default_world_can_be_made(stub: LiveStub, world: str, email: str) -> None:
    stub.registered(email)
    stub.control("PUT", f"/worlds/{world}", {"copy": "default"})
    assert stub.registered(email, world) == "email-already-registered"


def test_a_world_that_is_copied_to_itself_stays_as_it_is(shared_stub: LiveStub, world: str) -> None:
    live_in(shared_stub, world)
    before = state(shared_stub, world)
    assert shared_stub.control("PUT", f"/worlds/{world}", {"copy": world}).status_code == 200
    assert state(shared_stub, world) == before


def test_a_copy_of_no_world_makes_none(stub: LiveStub, world: str) -> None:
    assert stub.control("PUT", f"/worlds/{world}", {"copy": "nowhere"}).status_code == 404
    assert names(stub) == ["default"]


@pytest.mark.files
def test_a_deleted_world_is_gone_with_its_file(stub: LiveStub, world: str, email: str) -> None:
    stub.registered(email, world)
    folder = folder_of(stub)
    assert list(folder.glob("*.json")) != []
    answer = stub.control("DELETE", f"/worlds/{world}")
    assert [each["name"] for each in answer.json()] == ["default"]
    assert list(folder.glob("*.json")) == []
    assert stub.registered(email, world) == "action-successful"


def test_the_world_that_a_request_is_in_can_be_deleted(
    stub: LiveStub, world: str, email: str
) -> None:
    stub.registered(email, world)
    answer = stub.control("DELETE", f"/worlds/{world}", world=world)
    assert (answer.status_code, names(stub)) == (200, ["default"])
    assert stub.registered(email, world) == "action-successful"


def test_the_default_world_cannot_be_deleted(stub: LiveStub, email: str) -> None:
    stub.registered(email)
    answer = stub.control("DELETE", "/worlds/default")
    assert (answer.status_code, answer.headers["Mock-Error"]) == (409, "default-world")
    assert stub.registered(email) == "email-already-registered"


@pytest.mark.parametrize("name", ["a.b", "x" * 65, "a%20b", "%C3%A9"])
@pytest.mark.parametrize("by", ["path", "put"])
def test_a_name_that_is_none_makes_no_world(stub: LiveStub, name: str, by: str) -> None:
    if by == "path":
        answer = stub.control("GET", "/health", world=name)
    else:
        answer = stub.control("PUT", f"/worlds/{name}", {})
    assert (answer.status_code, answer.headers["Mock-Error"]) == (400, "bad-world")
    assert names(stub) == ["default"]


def test_there_are_no_more_worlds_than_there_may_be(
    start_stub: Callable[..., LiveStub],
) -> None:
    stub = start_stub(max_worlds=3)
    health = stub.control("GET", "/health").json()
    assert health["worlds"] == {"limit": 3, "idle_seconds": 3600}
    for name in ("a", "b"):
        assert stub.control("PUT", f"/worlds/{name}", {}).status_code == 200
    for answer in (
        stub.control("PUT", "/worlds/c", {}),
        stub.control("GET", "/health", world="c"),
        stub.sent(registration("someone@tests.test"), "c"),
    ):
        assert (answer.status_code, answer.headers["Mock-Error"]) == (400, "too-many-worlds")
        assert "DELETE /_mock/worlds/" in answer.json()["hint"]
    assert stub.control("GET", "/health", world="a").status_code == 200
    stub.control("DELETE", "/worlds/a")
    assert stub.control("PUT", "/worlds/c", {}).status_code == 200


@pytest.mark.parametrize("world", [None, "some-world"])
def test_a_reset_world_is_as_at_the_start_whole(stub: LiveStub, world: str | None) -> None:
    before = state(stub, world)
    live_in(stub, world)
    assert stub.control("POST", "/reset", world=world).status_code == 204
    assert state(stub, world) == before


def test_a_reset_is_of_one_world(shared_stub: LiveStub, world: str) -> None:
    live_in(shared_stub, world)
    before = state(shared_stub, world)
    live_in(shared_stub, f"{world}-other")
    shared_stub.control("POST", "/reset", world=f"{world}-other")
    assert state(shared_stub, world) == before


@pytest.mark.parametrize("path", ["/outbox", "/requests"])
def test_who_waits_in_a_world_that_is_deleted_keeps_nobody_waiting(
    stub: LiveStub, world: str, waits: threading.Semaphore, path: str
) -> None:
    waited: list[Any] = []

    def wait() -> None:
        waited.append(stub.control("GET", f"{path}?wait={WAIT}", world=world).json())

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert waits.acquire(timeout=LIMIT)
    answer = stub.http.delete(stub.at(f"/_mock/worlds/{world}"))
    assert (answer.status_code, names(stub)) == (200, ["default"])
    waiting.join(timeout=LIMIT)
    assert waited == [[]]


@pytest.mark.files
def test_a_world_whose_file_is_damaged_is_told_by_the_control_plane_and_can_be_deleted(
    stub: LiveStub, world: str
) -> None:
    folder = folder_of(stub)
    folder.mkdir()
    (folder / f"{world}.json").write_text("{")
    answer = stub.control("GET", "/clients", world=world)
    assert (answer.status_code, answer.headers["Mock-Error"]) == (500, "unusable-data")
    assert f"{world}.json" in answer.json()["detail"]
    assert stub.control("DELETE", f"/worlds/{world}").status_code == 200
    assert stub.control("GET", "/clients", world=world).status_code == 200


@pytest.mark.files
def test_a_world_is_deleted_with_the_journal_that_a_killed_server_left(
    stub: LiveStub, world: str
) -> None:
    folder = folder_of(stub)
    folder.mkdir()
    (folder / f"{world}.json.journal.1").write_text("")
    assert stub.control("GET", "/clients", world=world).status_code == 500
    assert stub.control("DELETE", f"/worlds/{world}").status_code == 200
    assert list(folder.iterdir()) == []
    assert stub.control("GET", "/clients", world=world).status_code == 200
