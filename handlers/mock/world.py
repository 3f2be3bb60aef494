"""One world: the state behind one base URL.

Clients, sessions and mails are kept in a store; all else is gone when the process ends.
"""

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from clients_register.handlers.building import Ground
from clients_register.handlers.mock.faults import FaultyServices, FaultyStore, FaultyTransport
from clients_register.handlers.mock.journal import Entry
from clients_register.handlers.mock.news import News
from clients_register.handlers.mock.state import WorldState
from clients_register.handlers.seeding import Seed
from clients_register.handlers.services import Services
from clients_register.handlers.store import Store
from clients_register.handlers.store.files import DEFAULT, Files

PREFIX = "/_world/"

# Seconds that a world which is to be closed waits for the requests in it.
PATIENCE = 70


class World:
    """The state of one base URL."""

    def __init__(
        self,
        name: str,
        state: WorldState,
        files: Files,
        ground: Ground,
        before: Collection[asyncio.Task[None]] = (),
    ) -> None:
        """`before` are the tasks that still remove earlier worlds of that name."""
        self.name = name
        self.state = state
        self.news = News()
        self.busy = 0
        self.left = News()
        self._files = files
        self._used_at = time.monotonic()
        self._ground = ground
        self._before = before
        self._opening = asyncio.Lock()
        self._store: Store | None = None
        self._services: Services | None = None

    @property
    def idle(self) -> float:
        """Seconds since the last request to the world."""
        return time.monotonic() - self._used_at

    @property
    def personas(self) -> dict[str, Mapping[str, Any]]:
        """Name -> entry of the seed, for users who have a name there."""
        users = self._ground.seed.sections["users"]
        return {entry["persona"]: entry for entry in users if "persona" in entry}

    @property
    def base(self) -> str:
        """What stands before the paths of the server, to mean this world."""
        return "" if self.name == DEFAULT else PREFIX + self.name

    def enter(self) -> None:
        """A request is in the world, which must not go away until it has left."""
        self._used_at = time.monotonic()
        self.busy += 1

    def leave(self) -> None:
        """See `enter`."""
        self.busy -= 1
        self.left.tell()

    @contextmanager
    def used(self) -> Iterator[None]:
        """See `enter` and `leave`."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    async def services(self) -> Services:
        """What serves the world's requests; the first call opens its store. Raises StoreError."""
        if self._services is None:
            async with self._opening:
                if self._services is None:
                    self._services = await self._open()
        return self._services

    async def count_clients(self) -> int | None:
        """The number of stored clients, or None if the store has not been opened yet."""
        return None if self._store is None else await self._store.count_clients()

    def record(self, entry: Entry) -> None:
        """Records `entry`, and wakes those who wait for it or for the mail it caused."""
        self.state.record(entry)
        self.news.tell()

    async def reset(self) -> None:
        """Restores the initial state, but for the coverage, which `Worlds` keeps."""
        self.state.restore()
        self.state.journal.clear()
        await self.restore_people()

    async def restore_people(self) -> None:
        """Nobody but the personas, no sessions but theirs, no mails."""
        store = (await self.services()).store
        await store.remove([user.id for user in await store.users()], mails=True)
        await self._plant(self._ground.seed, store)

    async def restore_persona(self, name: str) -> None:
        """The persona `name` as at the start, with their sessions; everybody else as they are."""
        store = (await self.services()).store
        await store.remove([self.personas[name]["id"]])
        await self._plant(self._ground.seed.only(name), store)

    async def restore_sessions(self) -> None:
        """No sessions but the personas', each as at the start."""
        store = (await self.services()).store
        await store.remove(sessions=[session.digest for session in await store.sessions()])
        await self._plant(self._ground.seed, store)

    async def _plant(self, seed: Seed, store: Store) -> None:
        await seed.plant(store, self.state.clock, self._ground.passwords)

    async def copy_from(self, other: "World") -> None:
        """Takes over the state of `other`, but for what callers did there."""
        source, target = (await other.services()).store, (await self.services()).store
        await target.remove([user.id for user in await target.users()], mails=True)
        await target.seed(await source.users(), await source.sessions(), public=True)
        for mail in await source.mails():
            await target.add_mail(mail)
        self.state.copy_from(other.state)

    async def close(self, still_in_it: int = 0) -> None:
        """Closes the store, once no more than `still_in_it` requests are in the world."""

        async def is_left() -> bool:
            return self.busy <= still_in_it

        await self.left.until(is_left, PATIENCE)
        if self._store is not None:
            await self._store.close()
            self._store = self._services = None

    def end(self) -> None:
        """Nothing will happen here any more: who waits for news is answered."""
        self.news.end()

    async def remove(self, still_in_it: int = 0) -> None:
        """Closes the world, see `close`, and forgets all that it held."""
        self.end()
        await self.close(still_in_it)
        self._files.erase(self.name)

    async def services_on(self, ground: Ground) -> Services | None:
        """What would serve the world on another `ground`; None where its store is not open.

        The seed of `ground` is planted.
        """
        if self._store is None:
            return None
        await ground.seed.plant(self._store, self.state.clock, ground.passwords)
        return self._on(self._store, ground)

    def settle(self, ground: Ground, services: Services | None) -> None:
        """From now on the world is served by `services`, which `services_on` gave for `ground`."""
        self._ground = ground
        if services is not None:
            self._services = services

    async def _succeed(self) -> None:
        """Waits until earlier worlds of that name, which had the same file, are removed."""
        if self._before:
            await asyncio.wait(self._before)
            self._before = ()

    async def _open(self) -> Services:
        await self._succeed()
        store = await self._files.store(self.name)
        try:
            await self._plant(self._ground.seed, store)
        except BaseException:
            await store.close()
            raise
        self._store = store
        return self._on(store, self._ground)

    def _on(self, store: Store, ground: Ground) -> Services:
        faults = self.state.faults
        whole = ground.services(
            store,
            self.state.clock,
            deployed=FaultyServices(ground.seed.registry().services, faults),
            altered=lambda transport: FaultyTransport(transport, faults),
        )
        return replace(whole, store=FaultyStore(store, faults))
