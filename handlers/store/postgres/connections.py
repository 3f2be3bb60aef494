"""Connections to the database; lost ones are replaced.

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

from clients_register.handlers.store import StoreError, StoreUnavailable
from clients_register.handlers.store.postgres.database import Database
from clients_register.handlers.store.postgres.schema import ANOTHER, prepare

# How long a request waits for a connection before it is told that there is none, in seconds.
PATIENCE = 3

# How long one attempt may take where nothing comes back, and how long until the next where it was
# refused. What began before the database was back leaves time for another.
ATTEMPT = 2
PAUSE = 0.25

# How long the first attempt may take, for which no request waits yet.
FIRST_ATTEMPT = 10

# How long a request may use a connection, in seconds: a database whose processes stand still breaks
# no connection, and says nothing.
LONGEST = 30

# Each costs the database a process, and writes of users run one after the other anyway.
MOST = 10

Connection = psycopg.AsyncConnection[TupleRow]


class Connections:
    """Connections to a database whose tables are there and ours."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._parameters: dict[str, Any] = {
            **database.parameters(),
            "application_name": "clients-register",
            "autocommit": True,
            "client_encoding": "utf8",
            "connect_timeout": ATTEMPT,
            # A machine that vanished from the network acknowledges nothing.
            "tcp_user_timeout": ATTEMPT * 1000,
        }
        self._turns = asyncio.Semaphore(MOST)
        self._idle: list[Connection] = []
        self._closed = False

    @classmethod
    async def opened(cls, database: Database) -> Self:
        """Connections to `database`. Raises StoreError where it cannot be reached or used."""
        # What these say, whoever catches their exceptions says in one line per request.
        logging.getLogger("psycopg").setLevel(logging.ERROR)
        connections = cls(database)
        await connections._prepare()
        return connections

    async def close(self) -> None:
        """Closes all connections; those in use when they are given back."""
        self._closed = True
        await self._close_idle()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection on which each statement is durable when it returns.

        Raises StoreUnavailable.
        """
        connection = await self._taken()
        try:
            with _hung_up_in_the_end(connection):
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise StoreUnavailable(
                f"the database {self.database} failed: {_words(error)}"
            ) from None
        finally:
            whole = connection.info.transaction_status is TransactionStatus.IDLE
            if whole and not self._closed:
                self._idle.append(connection)
            else:
                await connection.close()
            self._turns.release()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection on which all statements are durable when the context ends, or none.

        None is if it ends by an exception, such as that of a caller who was cancelled. Raises
        StoreUnavailable.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def _taken(self) -> Connection:
        """A connection that works, and a turn. Raises StoreUnavailable where there is none."""
        why = f"all {MOST} are in use, or nothing comes back"
        try:
            async with asyncio.timeout(PATIENCE):
                await self._turns.acquire()
                try:
                    while True:
                        try:
                            return await self._working()
                        except psycopg.OperationalError as error:
                            why = _words(error)
                        await asyncio.sleep(PAUSE)
                except BaseException:
                    self._turns.release()
                    raise
        except TimeoutError:
            raise StoreUnavailable(
                f"the database {self.database} cannot be reached, or is too busy: no connection"
                f" within {PATIENCE} seconds: {why}"
            ) from None

    async def _working(self) -> Connection:
        """One that is idle and not broken, or a new one."""
        while self._idle:
            connection = self._idle.pop()
            try:
                if _has_news(connection):
                    with _hung_up_in_the_end(connection):
                        await connection.execute("")
            except psycopg.OperationalError:
                await connection.close()
                # What broke it broke the others, and to find that out of each takes time.
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
                **self._parameters | {"connect_timeout": FIRST_ATTEMPT}
            )
        except psycopg.Error as error:
            raise StoreError(
                f"the database {self.database} cannot be reached: {_words(error)}; expected a"
                " PostgreSQL server there that takes user and password; start it, correct them, or"
                f" {ANOTHER}"
            ) from None
        async with connection:
            await prepare(connection, self.database)


@contextmanager
def _hung_up_in_the_end(connection: Connection) -> Iterator[None]:
    """Breaks the connection if the context takes too long. Raises psycopg.OperationalError then.

    Cancelled by `asyncio.timeout`, the driver would wait for the database to confirm that.
    """
    hung_up = False

    def hang_up() -> None:
        nonlocal hung_up
        hung_up = True
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    limit = asyncio.get_running_loop().call_later(LONGEST, hang_up)
    try:
        yield
    except psycopg.OperationalError:
        if not hung_up:
            raise
        raise psycopg.OperationalError(f"no answer within {LONGEST} seconds") from None
    finally:
        limit.cancel()


def _has_news(connection: Connection) -> bool:
    """Whether something came on a connection that was idle: a farewell, most likely, or its end.

    To ask the system takes microseconds; to ask the database would double the time of a read.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        return bool(selector.select(0))


def _words(error: psycopg.Error) -> str:
    """What `error` says, in one line. The driver never quotes a password."""
    return " ".join(str(error).split())
