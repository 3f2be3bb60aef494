"""Stubs on one database that come and go, and worlds that go while others come."""

import pytest
from support.live import SettableClock
from support.postgres import Server

from clients_register.handlers.mock.clock import WorldClock
from clients_register.handlers.mock.minted import Minted
from clients_register.handlers.mock.state.arrangement import Arrangement
from clients_register.handlers.mock.state.postgres.states import PostgresStates
from clients_register.handlers.store import StoreError
from clients_register.handlers.store.postgres.connections import Connections
from clients_register.handlers.store.postgres.engine import Postgres

PRESENT = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE locktype = 'advisory' AND datname = current_database()
"""


async def test_who_has_ended_is_not_there_any_more(postgres: Server) -> None:
    database = postgres.at(postgres.made())
    connections = await Connections.opened(database)
    present = []
    for _ in range(20):
        states = await PostgresStates.opened(connections)
        await states.close()
        async with connections.connection() as connection:
            found = await (await connection.execute(PRESENT)).fetchone()
            present.append(found)
    await connections.close()
    assert set(present) == {(0,)}


async def test_a_world_that_is_removed_while_it_is_opened_is_told_as_that(
    postgres: Server,
) -> None:
    connections = await Connections.opened(postgres.at(postgres.made()))
    engine = Postgres(connections)
    states = await PostgresStates.opened(connections)
    state = states.of("ann", Arrangement(WorldClock(SettableClock()), Minted()))

    async def open_and_lose() -> None:
        async with state.opening():
            await engine.store("ann", public_allowed=True)
            await engine.erase("ann")

    with pytest.raises(StoreError, match="the world ann was removed by another server"):
        await open_and_lose()
    await states.close()
    await connections.close()
