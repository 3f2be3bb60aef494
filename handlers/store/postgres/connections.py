"""A pool of connections to the database; lost connections are replaced.

A request that finds no idle connection opens one. A pool that fills itself in the background would
keep requests waiting until it noticed that the database had recovered.
"""

import asyncio
import logging
import os
import selectors
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from clients_register.handlers.store.base import StoreError, StoreUnavailable
from clients_register.handlers.store.postgres.address import DatabaseAddress
from clients_register.handlers.store.postgres.schema import ANOTHER, prepare

# How long a request waits for a connection, in seconds.
ACQUIRE_TIMEOUT = 3

# Timeout of one attempt to connect, and delay after a refused one, in seconds: an attempt made
# before the database is back leaves time for another within ACQUIRE_TIMEOUT.
CONNECT_TIMEOUT = 2
RETRY_DELAY = 0.25

# Timeout of the first attempt, at startup.
STARTUP_TIMEOUT = 10

# How long a request may use a connection, in seconds: suspended database processes neither respond
# nor close connections.
USE_TIMEOUT = 30

# Each connection costs the database a process, and writes of users are serialized anyway.
MAX_CONNECTIONS = 10

Connection = psycopg.AsyncConnection[TupleRow]


class ConnectionPool:
    """Connections to a database whose tables have been created or checked."""

    def __init__(self, database: DatabaseAddress) -> None:
        self.database = database
        self._parameters: dict[str, Any] = {
            "application_name": "clients-register",
            **database.parameters(),
            "autocommit": True,
            "client_encoding": "utf8",
            "connect_timeout": CONNECT_TIMEOUT,
            # Detects hosts that have vanished from the network.
            "tcp_user_timeout": CONNECT_TIMEOUT * 1000,
        }
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._idle: list[Connection] = []
        self._closed = False

    @classmethod
    async def open(cls, database: DatabaseAddress) -> Self:
        """Opens a pool. Raises StoreError if the database cannot be reached or used."""
        # Its messages repeat those of its exceptions, which are logged once per request.
        logging.getLogger("psycopg").setLevel(logging.ERROR)
        pool = cls(database)
        await pool._prepare()
        return pool

    async def close(self) -> None:
        """Closes all connections; those in use once they are released."""
        self._closed = True
        await self._close_idle()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Yields a connection on which each statement is durable when it returns.

        Raises StoreUnavailable.
        """
        connection = await self._acquire()
        try:
            with _use_timeout(connection):
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise StoreUnavailable(
                f"the database {self.database} failed: {_message(error)}"
            ) from None
        finally:
            is_clean = connection.info.transaction_status is TransactionStatus.IDLE
            if is_clean and not self._closed:
                self._idle.append(connection)
            else:
                await connection.close()
            self._slots.release()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Yields a connection whose statements are durable together when the context ends.

        They are rolled back if it ends with an exception, including cancellation. Raises
        StoreUnavailable.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def _acquire(self) -> Connection:
        """Returns a working connection, and takes a slot. Raises StoreUnavailable."""
        why = f"all {MAX_CONNECTIONS} are in use, or the database does not respond"
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT):
                await self._slots.acquire()
                try:
                    while True:
                        try:
                            return await self._reuse_or_connect()
                        except psycopg.OperationalError as error:
                            why = _message(error)
                        await asyncio.sleep(RETRY_DELAY)
                except BaseException:
                    self._slots.release()
                    raise
        except TimeoutError:
            raise StoreUnavailable(
                f"the database {self.database} cannot be reached, or is too busy: no connection"
                f" within {ACQUIRE_TIMEOUT} seconds: {why}"
            ) from None

    async def _reuse_or_connect(self) -> Connection:
        """Returns an idle connection that still works, or a new one."""
        while self._idle:
            connection = self._idle.pop()
            try:
                if _has_input(connection):
                    with _use_timeout(connection):
                        await connection.execute("")
            except psycopg.OperationalError:
                await connection.close()
                # Most likely the others are broken, too, and checking each of them takes time.
                await self._close_idle()
            except BaseException:
                await connection.close()
                raise
            else:
                return connection
        return await psycopg.AsyncConnection.connect(**self._parameters)

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def _prepare(self) -> None:
        try:
            connection = await psycopg.AsyncConnection.connect(
                **self._parameters | {"connect_timeout": STARTUP_TIMEOUT}
            )
        except psycopg.Error as error:
            raise StoreError(
                f"the database {self.database} cannot be reached: {_message(error)}; expected a"
                " PostgreSQL server that accepts user and password; start it, correct them, or"
                f" {ANOTHER}"
            ) from None
        async with connection:
            await prepare(connection, self.database)


@contextmanager
def _use_timeout(connection: Connection) -> Iterator[None]:
    """Closes the connection and raises psycopg.OperationalError if the context takes too long.

    `asyncio.timeout` would not help: the driver waits for the database to confirm a cancellation.
    """
    timed_out = False

    def shut_down() -> None:
        nonlocal timed_out
        timed_out = True
        with socket.socket(fileno=os.dup(connection.fileno())) as sock:
            sock.shutdown(socket.SHUT_RDWR)

    timer = asyncio.get_running_loop().call_later(USE_TIMEOUT, shut_down)
    try:
        yield
    except psycopg.OperationalError:
        if not timed_out:
            raise
        raise psycopg.OperationalError(f"no response within {USE_TIMEOUT} seconds") from None
    finally:
        timer.cancel()


def _has_input(connection: Connection) -> bool:
    """Whether there is input on an idle connection: most likely the server has closed it.

    This takes microseconds; a query would double the time of a read.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        return bool(selector.select(0))


def _message(error: psycopg.Error) -> str:
    """Returns the message of `error` in one line. The driver never quotes a password."""
    return " ".join(str(error).split())
