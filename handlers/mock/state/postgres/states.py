"""The state of all worlds whose stores are in one database."""

import asyncio
from collections.abc import Mapping
from typing import Self

from clients_register.handlers.mock.coverage import Coverage
from clients_register.handlers.mock.state import Use
from clients_register.handlers.mock.state.arrangement import Arrangement
from clients_register.handlers.mock.state.postgres.presence import Presence
from clients_register.handlers.mock.state.postgres.state import PostgresState, met
from clients_register.handlers.store.postgres.connections import MOST, Connections

USES = """
    SELECT stored.name, coalesce(asked, 0),
        coalesce(extract(epoch FROM clock_timestamp() - used_at), 0)::float,
        opened.world IS NOT NULL
    FROM clients_register.worlds AS stored
    LEFT JOIN clients_register_stub.uses AS opened ON opened.world = stored.name
"""

MET = """
    SELECT status, sum(by_the_rules)::bigint, sum(forced)::bigint
    FROM clients_register_stub.met GROUP BY status
"""


class PostgresStates:
    """See `States`."""

    def __init__(self, connections: Connections, presence: Presence) -> None:
        """`presence` is closed with it, the connections stay open."""
        self._connections = connections
        self._presence = presence
        # Who opens a world has a connection and needs another: not all may be in such hands.
        self._openings = asyncio.Semaphore(MOST // 2)

    @classmethod
    async def opened(cls, connections: Connections) -> Self:
        """The state of worlds on `connections`. Raises StoreError."""
        return cls(connections, await Presence.taken(connections))

    def of(self, name: str, arranged: Arrangement) -> PostgresState:
        """See `States.of`."""
        return PostgresState(name, arranged, self._connections, self._openings)

    async def uses(self) -> Mapping[str, Use]:
        """See `States.uses`."""
        async with self._connections.connection() as connection:
            found = await connection.execute(USES)
            return {name: Use(*use) async for name, *use in found}

    async def met(self) -> Coverage:
        """See `States.met`."""
        async with self._connections.connection() as connection:
            return await met(await connection.execute(MET))

    async def forget_met(self) -> None:
        """See `States.forget_met`."""
        async with self._connections.connection() as connection:
            await connection.execute("DELETE FROM clients_register_stub.met")

    async def close(self) -> None:
        """See `States.close`."""
        await self._presence.close()
