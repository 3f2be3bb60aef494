"""Stubs on one database: who starts once all others have ended begins anew."""

from support.postgres import Server

from clients_register.handlers.mock.state.postgres.states import PostgresStates
from clients_register.handlers.store.postgres.connections import Connections

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
