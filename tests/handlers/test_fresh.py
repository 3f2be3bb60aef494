"""`serve --fresh`: the server starts with empty data, and nothing else is touched."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.command import call
from support.live import Live, LiveStub
from support.records import about_to_register, mail, register_client
from support.store import edited, stored

from clients_register.handlers.settings import Settings
from clients_register.handlers.store.tinydb import TinyDBStore
from clients_register.handlers.stub.world_files import WorldFiles

pytestmark = pytest.mark.files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.json"


def settings(path: Path, **changes: Any) -> Settings:
    return Settings(**{"data": path, "port": 0, "bcrypt_cost": 4, **changes})


def contents(folder: Path) -> dict[Path, bytes]:
    """All files in `folder`, without lock files and without what a start adds."""
    files = (each for each in folder.rglob("*") if each.is_file())
    return {each: each.read_bytes() for each in files if each.suffix != ".lock"}


def open_fresh(path: Path, **changes: Any) -> TinyDBStore:
    return TinyDBStore(path, **{"public_allowed": True, "fresh": True, **changes})


def used(path: Path) -> None:
    """Leaves data in the default world and in two others."""
    with LiveStub(settings(path)) as stub:
        for world in (None, "one", "Two"):
            assert stub.registered("ada@x.test", world) == "action-successful"


def test_a_stub_forgets_what_was_registered_in_all_worlds(path: Path) -> None:
    used(path)
    with LiveStub(settings(path, fresh=True)) as stub:
        assert [each["name"] for each in stub.control("GET", "/worlds").json()] == ["default"]
        for world in (None, "one", "Two"):
            assert stub.registered("ada@x.test", world) == "action-successful"
            assert len(stub.control("GET", "/outbox", world=world).json()) == 1


def test_a_stub_leaves_no_file_of_a_world_behind(path: Path) -> None:
    used(path)
    with LiveStub(settings(path, fresh=True)) as stub:
        assert contents(path.with_name("data.json.worlds")) == {}
        assert "ada@x.test" not in path.read_text("utf-8")
        assert stub.sent({"token": "client-session"}).json()["status"] == "missing-param"


def test_a_reference_begins_as_with_a_new_file(path: Path) -> None:
    answers = []
    for fresh in (False, True):
        with Live(settings(path, reference=True, fresh=fresh)) as reference:
            answers.append(reference.register("ada@x.test"))
            assert reference.register("ada@x.test")["status"] == "email-already-registered"
    assert [answer["data"]["id"] for answer in answers] == [1002, 1002]


def test_the_data_of_a_process_that_was_killed_is_gone_with_its_journal(data: Path) -> None:
    before = contents(data.parent)
    assert any(".journal." in each.name for each in before)
    asyncio.run(open_fresh(data).close())
    assert [each.name for each in contents(data.parent)] == [data.name]
    assert stored(data).keys() == {"meta", "_generation"}


async def test_what_is_stored_then_is_kept(path: Path) -> None:
    for email in ("ada@x.test", "bea@x.test"):
        store = open_fresh(path)
        await store.add_mail(mail("other@x.test"))
        await register_client(store, about_to_register(email), None)
        await store.close(compact=email == "ada@x.test")
    store = TinyDBStore(path, public_allowed=False)
    assert [user.email for user in await store.users()] == ["bea@x.test"]
    assert len(await store.mails()) == 1
    await store.close()


async def test_public_data_are_public_no_more(path: Path) -> None:
    store = open_fresh(path)
    await store.seed([], [], public=True)
    await store.close()
    await open_fresh(path).close()
    await TinyDBStore(path, public_allowed=False).close()


def test_where_there_is_no_file_one_is_created(path: Path) -> None:
    with LiveStub(settings(path, fresh=True)) as stub:
        assert stub.registered("ada@x.test") == "action-successful"
    assert path.exists()


def test_files_that_only_resemble_those_of_the_data_stay(path: Path) -> None:
    used(path)
    others = [
        path.parent / name
        for name in ("data.json.bak", "data.json.journal.x", "data.json.worlds/notes.txt", "data")
    ]
    for each in others:
        each.write_text("mine", "utf-8")
    with LiveStub(settings(path, fresh=True)):
        assert [each.read_text("utf-8") for each in others] == ["mine"] * len(others)


def refusal(path: Path, *options: str) -> str:
    """Why the server refuses to start; checks that no file has changed."""
    before = contents(path.parent)
    ended = call("serve", "--port", "0", "--data", str(path), "--fresh", *options)
    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert contents(path.parent) == before
    return line


def another_version(content: bytes) -> bytes:
    return edited(content, lambda tables: tables["meta"]["1"].update(version=2))


# The messages are those of every start.
FOREIGN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "another program's": (lambda _: b'{"customers": {}}', "belongs to another program"),
    "damaged": (lambda content: content[:-20], "is damaged"),
    "of another version": (another_version, "has version 2, expected 3"),
    "no data": (lambda _: b"my notes", "is damaged: it is not JSON"),
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("options", [[], ["--reference"]], ids=["stub", "reference"])
def test_a_data_file_that_is_not_ours_is_refused(path: Path, kind: str, options: list[str]) -> None:
    used(path)
    change, told = FOREIGN[kind]
    path.write_bytes(change(path.read_bytes()))
    line = refusal(path, *options)
    assert f"the data file {path} " in line
    assert told in line


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_of_a_world_that_is_not_ours_is_refused(path: Path, kind: str) -> None:
    used(path)
    change, told = FOREIGN[kind]
    world = path.with_name("data.json.worlds") / "one.json"
    world.write_bytes(change(world.read_bytes()))
    line = refusal(path)
    assert f"the data file {world} " in line
    assert told in line


def test_data_in_use_are_refused(path: Path) -> None:
    with LiveStub(settings(path)) as stub:
        assert stub.registered("ada@x.test", "one") == "action-successful"
        assert f"the data file {path} is in use by another process" in refusal(path)
        assert stub.registered("ada@x.test", "one") == "email-already-registered"


def test_data_of_a_stub_are_refused_by_a_reference(path: Path) -> None:
    used(path)
    assert "was created by the stub" in refusal(path, "--reference")


def test_a_journal_without_its_data_file_is_refused(data: Path) -> None:
    data.unlink()
    assert "does not exist, but its journal" in refusal(data)


async def test_the_default_world_alone_begins_anew_when_it_is_opened(path: Path) -> None:
    used(path)
    files = WorldFiles(path, fresh=True)
    one = await files.open_store("one")
    assert [user.email for user in await one.users()].count("ada@x.test") == 1
    await one.close()
    store = await files.open_store("default")
    assert await store.users() == ()
    await store.close()


def test_a_seed_that_cannot_be_used_costs_no_data(path: Path) -> None:
    used(path)
    assert "the seed /no/seed.yaml" in refusal(path, "--seed", "/no/seed.yaml")


def test_a_folder_in_the_place_of_a_world_costs_no_data(path: Path) -> None:
    used(path)
    world = path.with_name("data.json.worlds") / "one.json"
    world.unlink()
    world.mkdir()
    assert f"the data file {world} cannot be opened: it is not a regular file" in refusal(path)
