"""Engines: the stores of worlds beside each other, and whom they are opened for."""

import pytest
from support import engines
from support.engines import Opening
from support.people import about_to_register, enrolled, mail, session, user

from clients_register.handlers.store import Store, StoreError
from clients_register.handlers.store.engine import Engine


async def filled(store: Store) -> None:
    """Puts something of every kind into `store`."""
    made = await enrolled(store, about_to_register("ada@x.test"), None)
    await store.put_session(session("t", made.id))
    await store.add_mail(mail("ada@x.test"))


async def emptied(engine: Engine, world: str) -> bool:
    """Whether nothing is in the store of `world`."""
    store = await engine.store(world, public_allowed=False)
    found = [*await store.users(), *await store.sessions(), *await store.mails()]
    await store.close()
    return not found


async def test_worlds_do_not_see_each_other(engine: Engine, world: str) -> None:
    one, other = [
        await engine.store(name, public_allowed=True) for name in (world, f"{world}-other")
    ]
    await filled(one)
    assert [*await other.users(), *await other.sessions(), *await other.mails()] == []
    assert await other.user_by_email("ada@x.test") is None
    await filled(other)
    assert await other.users() == await one.users(), "each has the address, and ids of its own"
    await other.remove([each.id for each in await other.users()], mails=True)
    assert await one.count_clients() == len(await one.mails()) == len(await one.sessions()) == 1
    await one.close()
    await other.close()


async def test_a_world_is_erased_whole_and_alone(engine: Engine, world: str) -> None:
    names = (world, f"{world}-Other")
    for name in names:
        store = await engine.store(name, public_allowed=True)
        await filled(store)
        await store.seed([user(7, "bea@x.test")], [], public=True)
        await store.close()
    await engine.erase(world)
    assert set(names) & set(await engine.worlds()) == {names[1]}
    assert await emptied(engine, world), "and no secrets of it are public any more"
    kept = await engine.store(names[1], public_allowed=True)
    assert len(await kept.users()) == 2
    await kept.close()


async def test_worlds_are_found_again(opening: Opening, world: str) -> None:
    names = {world, world.upper(), f"{world}_-"}
    async with engines.closing(opening) as engine:
        for name in names:
            await (await engine.store(name, public_allowed=True)).close()
    async with engines.closing(opening) as engine:
        assert names <= set(await engine.worlds())


async def test_public_data_is_for_those_alone_who_allow_it(engine: Engine, world: str) -> None:
    store = await engine.store(world, public_allowed=True)
    await store.seed([user(7, "ada@x.test")], [], public=False)
    await store.close()
    store = await engine.store(world, public_allowed=True)
    await store.seed([user(8, "bea@x.test")], [], public=True)
    await store.seed([user(9, "cleo@x.test")], [], public=False)
    await store.close()
    with pytest.raises(StoreError, match=r"was filled by the stub: .*; name another"):
        await engine.store(world, public_allowed=False)
    store = await engine.store(world, public_allowed=True)
    assert len(await store.users()) == 3
    await store.close()
