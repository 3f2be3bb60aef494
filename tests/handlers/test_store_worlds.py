"""The stores of a stub's worlds, each in a file of its own."""

from pathlib import Path

import pytest
from support.records import about_to_register, mail, register_client, session

from clients_register.handlers.store.base import Store
from clients_register.handlers.stub.world_files import WorldFiles


@pytest.fixture
def worlds(tmp_path: Path) -> WorldFiles:
    return WorldFiles(tmp_path / "data.json")


async def filled(store: Store) -> None:
    """Puts something of every kind into `store`."""
    made = await register_client(store, about_to_register("ada@x.test"), None)
    await store.put_session(session("t", made.id))
    await store.add_mail(mail("ada@x.test"))


async def emptied(worlds: WorldFiles, world: str) -> bool:
    """Whether nothing is in the store of `world`."""
    store = await worlds.open_store(world)
    found = [*await store.users(), *await store.sessions(), *await store.mails()]
    await store.close()
    return not found


async def test_worlds_do_not_see_each_other(worlds: WorldFiles) -> None:
    one, other = await worlds.open_store("one"), await worlds.open_store("other")
    await filled(one)
    assert [*await other.users(), *await other.sessions(), *await other.mails()] == []
    assert await other.user_by_email("ada@x.test") is None
    await filled(other)
    assert await other.users() == await one.users(), "each has the address, and ids of its own"
    await other.remove([each.id for each in await other.users()], mails=True)
    assert await one.count_clients() == len(await one.mails()) == len(await one.sessions()) == 1
    await one.close()
    await other.close()


async def test_a_world_is_erased_whole_and_alone(worlds: WorldFiles) -> None:
    for name in ("one", "One"):
        store = await worlds.open_store(name)
        await filled(store)
        await store.close()
    worlds.erase("one")
    assert await worlds.list_names() == ["One"]
    assert await emptied(worlds, "one")
    assert not await emptied(worlds, "One")


async def test_worlds_are_found_again(worlds: WorldFiles, tmp_path: Path) -> None:
    names = {"one", "ONE", "one_-"}
    for name in names:
        await (await worlds.open_store(name)).close()
    assert set(await WorldFiles(tmp_path / "data.json").list_names()) == names
