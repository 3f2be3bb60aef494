"""The stores of all worlds in one PostgreSQL database."""

from collections.abc import Mapping, Sequence
from typing import Self

from psycopg.errors import CheckViolation

from clients_register.handlers.store import Store, StoreError
from clients_register.handlers.store.postgres.connections import Connections
from clients_register.handlers.store.postgres.database import Database
from clients_register.handlers.store.postgres.schema import ANOTHER
from clients_register.handlers.store.postgres.store import PostgresStore
from clients_register.handlers.store.state import LAST_SEEDED_ID

OPEN = """
    INSERT INTO clients_register.worlds (name, private, last_id) VALUES (%s, %s, %s)
    ON CONFLICT (name) DO UPDATE SET private = worlds.private OR excluded.private
"""

CLIENTS = """
    SELECT name, count(client_id)
    FROM clients_register.worlds LEFT JOIN clients_register.users ON world = name GROUP BY name
"""


class Postgres:
    """See `Engine`. Several servers may be on one database."""

    def __init__(self, connections: Connections) -> None:
        """The connections are closed with it."""
        self.connections = connections

    @classmethod
    async def opened(cls, database: Database) -> Self:
        """The engine on `database`, where its tables are made if there are none.

        Raises StoreError where it cannot be reached, or is no place for them.
        """
        return cls(await Connections.opened(database))

    async def worlds(self) -> Sequence[str]:
        """See `Engine.worlds`."""
        async with self.connections.connection() as connection:
            found = await connection.execute("SELECT name FROM clients_register.worlds")
            return [name async for (name,) in found]

    async def store(self, world: str, *, public_allowed: bool) -> Store:
        """See `Engine.store`."""
        async with self.connections.connection() as connection:
            try:
                await connection.execute(OPEN, [world, not public_allowed, LAST_SEEDED_ID])
            except CheckViolation:
                raise StoreError(
                    f"the database {self.connections.database} was filled by the stub: passwords"
                    f" and tokens in it are known to anybody; {ANOTHER}, or leave --reference out"
                ) from None
        return PostgresStore(self.connections, world)

    async def clients(self) -> Mapping[str, int]:
        """See `Engine.clients`. Other servers have opened some of them."""
        async with self.connections.connection() as connection:
            found = await connection.execute(CLIENTS)
            return {name: count async for name, count in found}

    async def erase(self, world: str) -> None:
        """See `Engine.erase`."""
        async with self.connections.connection() as connection:
            await connection.execute("DELETE FROM clients_register.worlds WHERE name = %s", [world])

    async def close(self) -> None:
        """See `Engine.close`."""
        await self.connections.close()
