"""The state of one world, for any number of stubs: read at each request, written with each answer.

What was arranged outlives the loss of the database; the last answers before it may be forgotten,
so that none waits for a disk.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncCursor
from psycopg.errors import ForeignKeyViolation
from psycopg.rows import TupleRow

from clients_register.handlers.mock.coverage import Coverage
from clients_register.handlers.mock.journal import KEPT, Entry
from clients_register.handlers.mock.showing import shown
from clients_register.handlers.mock.state.arrangement import Arrangement
from clients_register.handlers.mock.state.postgres.statements import (
    ADDED,
    BEGIN,
    CHANGE,
    FITTING,
    FORGET_MET,
    FORGET_REQUESTS,
    FORGOTTEN_AT_ONCE,
    KEEP,
    MET,
    ONE,
    READ,
    REQUESTS,
    SUM_UP_MET,
)
from clients_register.handlers.store import StoreError
from clients_register.handlers.store.postgres.connections import Connection, Connections

# Whoever opens a world holds the lock of this number and of its name.
OPENING = int.from_bytes(b"open")

# A version that none is later than.
AHEAD = 2**63


class PostgresState:
    """See `WorldState`. The journal's entries are explained by what the world held at the time."""

    # Nobody is told of what happens in other servers.
    pace: float | None = 0.1
    is_shared = True

    def __init__(
        self,
        name: str,
        arranged: Arrangement,
        connections: Connections,
        openings: asyncio.Semaphore,
    ) -> None:
        """`openings` bounds how many worlds are opened at a time."""
        self.arranged = arranged
        self._name = name
        self._initial = json.dumps(arranged.document())
        self._connections = connections
        self._openings = openings
        self._change = asyncio.Lock()
        self._version = 0

    async def read(self) -> bool:
        """See `WorldState.read`."""
        async with self._connections.connection() as connection:
            return await self._read(connection, READ)

    @asynccontextmanager
    async def opening(self) -> AsyncIterator[bool]:
        """See `WorldState.opening`."""
        async with self._openings, self._connections.transaction() as connection:
            await connection.execute(
                "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [OPENING, self._name]
            )
            new = not await self._read(connection, READ)
            if new:
                self._load(0, self._initial)
            yield new
            if new:
                try:
                    await connection.execute(BEGIN, [self._name, self._initial])
                except ForeignKeyViolation:
                    raise self._removed() from None

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Arrangement]:
        """See `WorldState.changing`."""
        async with self._change:
            # Where the change fails, what was before is read anew.
            version = -1
            try:
                async with self._connections.transaction() as connection:
                    if not await self._read(connection, READ + " FOR UPDATE"):
                        raise self._removed()
                    # Requests that read meanwhile find what was before, and go on with this.
                    self._version = AHEAD
                    yield self.arranged
                    document = json.dumps(self.arranged.document())
                    changed = {"world": self._name, "arranged": document}
                    found = await connection.execute(CHANGE, changed)
                    (written,) = await found.fetchone() or (version,)
                version = written
            finally:
                self._version = version

    def touch(self) -> None:
        """See `WorldState.touch`. That an answer is kept says it to all servers."""

    async def keep(self, entry: Entry) -> None:
        """See `WorldState.keep`."""
        forced = entry.forced is not None
        written = {
            "world": self._name,
            "id": entry.id,
            "status": entry.slug,
            "shown": json.dumps(await shown(entry)),
            "kept": KEPT,
            "at_once": FORGOTTEN_AT_ONCE,
            "by_the_rules": int(not forced),
            "forced": int(forced),
        }
        async with self._connections.connection() as connection:
            await connection.execute(KEEP + ADDED, written)

    async def requests(self, after: int, status: str | None) -> Sequence[Mapping[str, Any]]:
        """See `WorldState.requests`."""
        return await self._shown(REQUESTS + FITTING, [self._name, KEPT, after, status, status])

    async def request(self, request_id: str) -> Mapping[str, Any] | None:
        """See `WorldState.request`."""
        return next(iter(await self._shown(REQUESTS + ONE, [self._name, KEPT, request_id])), None)

    async def forget_requests(self) -> None:
        """See `WorldState.forget_requests`."""
        async with self._connections.connection() as connection:
            await connection.execute(FORGET_REQUESTS, [self._name])

    async def met(self) -> Coverage:
        """See `WorldState.met`."""
        async with self._connections.connection() as connection:
            return await met(await connection.execute(MET, [self._name]))

    async def forget_met(self, *, whole: bool) -> None:
        """See `WorldState.forget_met`."""
        async with self._connections.connection() as connection:
            await connection.execute(FORGET_MET if whole else SUM_UP_MET + ADDED, [self._name])

    async def remove(self) -> None:
        """See `WorldState.remove`. All but what was met went with the store of the world."""
        await self.forget_met(whole=False)

    def _removed(self) -> StoreError:
        return StoreError(f"the world {self._name} was removed by another server")

    async def _read(self, connection: Connection, statement: str) -> bool:
        row = await (await connection.execute(statement, [self._name])).fetchone()
        if row is None:
            return False
        version, text = row
        if version > self._version:
            self._load(version, text)
        return True

    def _load(self, version: int, text: str) -> None:
        self.arranged.load(json.loads(text))
        self._version = version

    async def _shown(self, statement: str, params: Sequence[object]) -> list[dict[str, Any]]:
        async with self._connections.connection() as connection:
            found = await connection.execute(statement, params)
            return [{**json.loads(text), "number": number} async for number, text in found]


async def met(found: AsyncCursor[TupleRow]) -> Coverage:
    """The coverage whose rows were `found`: status, by the rules, forced."""
    coverage = Coverage()
    async for status, by_the_rules, forced in found:
        # What was only forced is no key among what was earned: a sum of counters drops zeros.
        coverage.natural += Counter({status: by_the_rules})
        coverage.forced += Counter({status: forced})
    return coverage
