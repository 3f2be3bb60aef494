"""Connections to the database, shared by all stores on it; lost ones are replaced."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from clients_register.handlers.store import StoreError, StoreUnavailable
from clients_register.handlers.store.postgres.database import Database
from clients_register.handlers.store.postgres.schema import ANOTHER, prepare

# How long a request waits for a connection before it is told that there is none, in seconds.
PATIENCE = 3

# Each costs the database a process; a write of one world waits for the one before anyway.
MOST = 10

Connection = psycopg.AsyncConnection[TupleRow]


class Connections:
    """A pool of connections to a database whose tables are there and ours."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._parameters: dict[str, Any] = {
            **database.parameters(),
            "application_name": "clients-register",
            "autocommit": True,
            "client_encoding": "utf8",
            "connect_timeout": PATIENCE,
            # A machine that vanished from the network acknowledges nothing.
            "tcp_user_timeout": PATIENCE * 1000,
        }
        self._pool = AsyncConnectionPool(
            kwargs=self._parameters,
            min_size=1,
            max_size=MOST,
            open=False,
            # A connection that broke while it was idle is replaced before anybody gets it.
            check=AsyncConnectionPool.check_connection,
            timeout=PATIENCE,
            # Afterwards each request makes an attempt at once, instead of ever rarer ones in the
            # background: the database is in use again with the first request after its return.
            reconnect_timeout=PATIENCE,
        )

    @classmethod
    async def opened(cls, database: Database) -> Self:
        """Connections to `database`. Raises StoreError where it cannot be reached or used."""
        # What these say, whoever catches their exceptions says in one line per request.
        logging.getLogger("psycopg").setLevel(logging.ERROR)
        connections = cls(database)
        await connections._prepare()
        await connections._pool.open()
        return connections

    async def close(self) -> None:
        """Closes all connections."""
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection on which each statement is durable when it returns.

        Raises StoreUnavailable.
        """
        try:
            async with self._pool.connection() as connection:
                yield connection
        except PoolTimeout:
            raise StoreUnavailable(
                f"the database {self.database} cannot be reached, or is too busy: no connection"
                f" within {PATIENCE} seconds"
            ) from None
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise StoreUnavailable(
                f"the database {self.database} failed: {_words(error)}"
            ) from None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection on which all statements are durable when the context ends, or none.

        None is if it ends by an exception, such as that of a caller who was cancelled. Raises
        StoreUnavailable.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def _prepare(self) -> None:
        try:
            connection = await psycopg.AsyncConnection.connect(**self._parameters)
        except psycopg.Error as error:
            raise StoreError(
                f"the database {self.database} cannot be reached: {_words(error)}; expected a"
                " PostgreSQL server there that takes user and password; start it, correct them, or"
                f" {ANOTHER}"
            ) from None
        async with connection:
            await prepare(connection, self.database)


def _words(error: psycopg.Error) -> str:
    """What `error` says, in one line. The driver never quotes a password."""
    return " ".join(str(error).split())
