"""That a stub is there, which others on the database know by a lock that its connection holds.

The first one begins anew, as a stub on a file does; those who come while it is there join it.
"""

import asyncio
import contextlib
from typing import Self

import psycopg

from clients_register.handlers.mock.state.postgres.schema import prepare
from clients_register.handlers.store import StoreUnavailable
from clients_register.handlers.store.postgres.connections import Connection, Connections

# The numbers of the locks: stubs that start at once take turns, and each that runs has a share.
TURN = int.from_bytes(b"cr-turns")
PRESENT = int.from_bytes(b"cr-there")

# How long until the next attempt to be there again where the database was lost, in seconds.
PAUSE = 1


class Presence:
    """It lasts until it is closed; where its connection is lost, it is taken again."""

    def __init__(self, connections: Connections, connection: Connection) -> None:
        """`connection` has a share of the lock, and is closed by this."""
        self._connections = connections
        self._connection = connection
        self._held = asyncio.create_task(self._hold())

    @classmethod
    async def taken(cls, connections: Connections) -> Self:
        """Being there, with the tables of the stub. Raises StoreError."""
        try:
            connection = await connections.alone()
            try:
                await _join(connections, connection)
            except BaseException:
                await connection.close()
                raise
        except psycopg.Error as error:
            raise StoreUnavailable(
                f"the database {connections.database} failed: {' '.join(str(error).split())}"
            ) from None
        return cls(connections, connection)

    async def close(self) -> None:
        """This stub is not there any more."""
        self._held.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._held
        # The database notices late that a connection is closed, and who starts now would join us.
        with contextlib.suppress(psycopg.Error):
            await self._connection.execute("SELECT pg_advisory_unlock_shared(%s)", [PRESENT])
        await self._connection.close()

    async def _hold(self) -> None:
        while True:
            with contextlib.suppress(psycopg.Error):
                # Nobody notifies: this ends when the connection does.
                async for _ in self._connection.notifies():
                    pass
            await self._connection.close()
            await asyncio.sleep(PAUSE)
            with contextlib.suppress(psycopg.Error):
                self._connection = await self._connections.alone()
                await _share(self._connection)


async def _join(connections: Connections, connection: Connection) -> None:
    await connection.execute("SELECT pg_advisory_lock(%s)", [TURN])
    found = await connection.execute("SELECT pg_try_advisory_lock(%s)", [PRESENT])
    first = await found.fetchone() == (True,)
    await prepare(connection, connections.database, first=first)
    await _share(connection)
    if first:
        await connection.execute("SELECT pg_advisory_unlock(%s)", [PRESENT])
    await connection.execute("SELECT pg_advisory_unlock(%s)", [TURN])


async def _share(connection: Connection) -> None:
    await connection.execute("SELECT pg_advisory_lock_shared(%s)", [PRESENT])
