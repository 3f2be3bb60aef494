"""Worlds: parallel tests share a server and never meet."""

import random
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx2
import pytest
from support.limits import LIMIT, until
from support.live import WAIT, LiveStub, encoded, registration

from clients_register.handlers.settings import Settings
from clients_register.handlers.stub.worlds import World


@pytest.mark.parametrize("name", ["a", "A", "0", "_", "-", "x" * 64, "Ann_2-b"])
def test_a_world_is_made_by_naming_it(shared_stub: LiveStub, name: str, email: str) -> None:
    assert shared_stub.registered(email, name) == "action-successful"
    assert shared_stub.registered(email, name) == "email-already-registered"


def test_names_differ_by_letter_case(shared_stub: LiveStub, email: str) -> None:
    for name in ("case", "Case", "CASE"):
        assert shared_stub.registered(email, name) == "action-successful"


@pytest.mark.parametrize("name", ["", "x" * 65, "a.b", "a%20b", "\u00e9", "a:b", "~"])
def test_a_name_that_is_none_is_a_problem(shared_stub: LiveStub, name: str) -> None:
    answer = shared_stub.http.post(shared_stub.route(name))
    assert answer.status_code == 400
    assert answer.headers["Mock-Error"] == "bad-world"
    assert "1 to 64 letters" in answer.json()["detail"]


def test_the_plain_base_url_is_the_default_world(stub: LiveStub, email: str) -> None:
    assert stub.registered(email) == "action-successful"
    assert stub.registered(email, "default") == "email-already-registered"


def test_people_sessions_and_mails_are_kept_over_a_restart(tmp_path: Path, email: str) -> None:
    settings = Settings(port=0, bcrypt_cost=4, data=tmp_path / "kept.json")
    with LiveStub(settings) as stub:
        token = stub.sent(registration(email), "Ann").json()["session"]["token"]
    with LiveStub(settings) as stub:
        assert [each["name"] for each in stub.control("GET", "/worlds").json()] == [
            "default",
            "Ann",
        ]
        assert stub.registered(email, "Ann") == "email-already-registered"
        assert stub.registered(f"next.{email}", "Ann", token=token) == "action-successful"
        mails = stub.control("GET", "/outbox", world="Ann").json()
        assert [mail["to"] for mail in mails] == [email, f"next.{email}"]
        assert stub.control("GET", "/requests", world="Ann").json()[0]["number"] == 1


def test_what_a_reset_brings_back_is_the_start(stub: LiveStub, email: str) -> None:
    first = stub.sent(registration(email)).json()
    stub.registered("liaison@personas.test", client={"password": "password of liaison"})
    stub.control("PUT", "/clock", {"advance": "P9D"})
    stub.control("PUT", "/faults", {"crash": "in-handler"})
    stub.control("PUT", "/next", ["missing-param"])
    assert stub.control("POST", "/reset").status_code == 204
    assert stub.control("GET", "/requests").json() == []
    assert stub.control("GET", "/outbox").json() == []
    assert stub.control("GET", "/clock").json()["ahead"] == 0
    again = stub.sent(registration(email)).json()
    assert again["data"] == first["data"], "the same ids once more"
    assert stub.registered("a@b.test", token="liaison-session") == "action-successful"


def test_what_was_met_in_a_world_that_is_reset_stays_in_the_sum(stub: LiveStub) -> None:
    assert stub.registered("missing-param@status.test", "ann") == "missing-param"
    stub.control("POST", "/reset", world="ann")
    met = {
        world: stub.control("GET", "/coverage", world=world).json()["met"]
        for world in ("ann", None)
    }
    assert met == {"ann": 0, None: 1}


def test_a_persona_of_a_new_world_ages_with_its_clock(shared_stub: LiveStub, world: str) -> None:
    shared_stub.control("PUT", "/clock", {"advance": "P8D"}, world)
    status = shared_stub.registered("a@b.test", world, token="client-session")
    assert status == "session-expired"


def test_who_waits_for_news_does_not_keep_the_server_from_stopping(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, waits: threading.Semaphore
) -> None:
    settings = Settings(port=0, data=tmp_path / "data.json")
    with LiveStub(settings) as stub, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(stub.control, "GET", f"/outbox?wait={WAIT}")
        assert waits.acquire(timeout=LIMIT)
        stub.is_set = True
        assert waiting.result(LIMIT).json() == []
    assert not [record for record in caplog.records if "timeout" in record.getMessage()]


def test_the_oldest_idle_world_makes_room_and_a_used_one_never(
    start_stub: Callable[..., LiveStub], monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = start_stub(max_worlds=3, world_idle_timeout=600)
    assert stub.registered("a@b.test", "one") == "action-successful"
    assert stub.registered("a@b.test", "two") == "action-successful"
    answer = stub.http.post(stub.route("three"))
    assert (answer.status_code, answer.headers["Mock-Error"]) == (400, "too-many-worlds")
    assert "already 3 worlds, and none of them was idle for 600 seconds" in answer.text
    idle = {"one": 602, "two": 601}
    monkeypatch.setattr(World, "idle_seconds", property(lambda world: idle.get(world.name, 0)))
    assert stub.registered("a@b.test", "three") == "action-successful"
    names = [each["name"] for each in stub.control("GET", "/worlds").json()]
    assert names == ["default", "three", "two"]
    assert stub.registered("a@b.test", "one") == "action-successful", "it is a new one"


@pytest.mark.files
@pytest.mark.skipif(sys.platform != "linux", reason="counts open files in /proc")
def test_idle_worlds_use_no_file_descriptor(stub: LiveStub) -> None:
    for number in range(20):
        assert stub.registered("a@b.test", f"w{number}") == "action-successful"
    # A response arrives before its world is released, but the next request is handled after that.
    stub.control("GET", "/worlds")
    folder = f"{stub.settings.data_file}.worlds"
    assert [each for each in open_files() if each.startswith(folder)] == []
    assert stub.registered("b@b.test", "w0") == "action-successful"
    assert stub.registered("a@b.test", "w0") == "email-already-registered"


def open_files() -> list[str]:
    """The paths of the files that this process has open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    return found


def test_two_hundred_clients_in_fifty_worlds_never_meet(stub: LiveStub) -> None:
    """Each client registers the same addresses in its world and scripts its own answers there.

    In every world an address is free exactly once, a script is used exactly once, mails are the
    world's own, and a clock moved in one moves in no other.
    """
    names = [f"world-{number}" for number in range(50)]
    for number, name in enumerate(names):
        stub.control("PUT", "/clock", {"advance": f"P{number}D"}, name)
        stub.control("PUT", "/next", ["mandrill-email-failed"] * 2, name)

    def client(number: int) -> tuple[str, list[str]]:
        name = names[number % 50]
        draws = random.Random(number)
        with httpx2.Client(timeout=LIMIT, verify=False) as http:
            statuses = []
            for step in range(4):
                address = f"person-{(draws.randrange(2) + step) % 2}@shared.test"
                answer = http.post(
                    stub.route(name),
                    content=encoded(registration(address)),
                    headers={"Content-Type": "text/plain"},
                )
                statuses.append(answer.json()["status"])
        return name, statuses

    with ThreadPoolExecutor(40) as threads:
        results = list(threads.map(client, range(200)))
    for number, name in enumerate(names):
        met = [status for world, statuses in results if world == name for status in statuses]
        assert len(met) == 16
        assert met.count("mandrill-email-failed") == 2
        assert met.count("action-successful") == 2
        assert met.count("email-already-registered") == 12
        mails = stub.control("GET", "/outbox", world=name).json()
        assert {mail["to"] for mail in mails} == {"person-0@shared.test", "person-1@shared.test"}
        days = stub.control("GET", "/clock", world=name).json()["ahead"] / 86400
        assert days == number
        counted = stub.control("GET", "/coverage", world=name).json()["statuses"]
        assert sum(each["natural"] + each["forced"] for each in counted) == 16


def test_worlds_that_are_deleted_while_others_look_stay_gone(stub: LiveStub) -> None:
    names = [f"w{number}" for number in range(16)]
    with ThreadPoolExecutor(len(names)) as threads:

        def use_and_delete(name: str) -> list[str]:
            assert stub.registered("a@b.test", name) == "action-successful"
            shown = stub.control("DELETE", f"/worlds/{name}").json()
            return [each["name"] for each in shown]

        listed = [*threads.map(use_and_delete, names)]
    assert [name for name, shown in zip(names, listed, strict=True) if name in shown] == []
    assert [each["name"] for each in stub.control("GET", "/worlds").json()] == ["default"]


def test_what_is_arranged_while_an_earlier_world_of_that_name_goes_is_not_gone_with_it(
    stub: LiveStub,
) -> None:
    async def ann() -> World:
        world: World = stub.app.worlds.find("ann") or stub.app.worlds.create("ann")
        return world

    async def enter() -> None:
        request.enter_context(earlier.in_use())

    async def leave() -> None:
        request.close()

    assert stub.registered("a@b.test", "ann") == "action-successful"
    earlier = stub.run(ann())
    # As long as a request is in it, it is not removed.
    request = ExitStack()
    stub.run(enter())
    with ThreadPoolExecutor(2) as threads:
        deleted = threads.submit(httpx2.delete, stub.at("/_mock/worlds/ann"), timeout=LIMIT)
        until(lambda: stub.run(ann()) is not earlier)
        put = threads.submit(
            httpx2.put, stub.at("/_mock/next", "ann"), json=["missing-param"], timeout=LIMIT
        )
        until(lambda: put.done() or stub.run(ann()).active_requests > 0)
        stub.run(leave())
        assert (deleted.result().status_code, put.result().status_code) == (200, 200)
    assert stub.registered("a@b.test", "ann") == "missing-param"
    assert stub.registered("a@b.test", "ann") == "action-successful"
