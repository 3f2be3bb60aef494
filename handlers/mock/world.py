"""One world: the state behind one base URL.

Clients, sessions and mails are kept by an engine; all else is gone when the last server ends.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from clients_register.handlers.building import Ground
from clients_register.handlers.mock.faults import FaultyServices, FaultyStore, FaultyTransport
from clients_register.handlers.mock.journal import Entry
from clients_register.handlers.mock.news import News
from clients_register.handlers.mock.script import Item
from clients_register.handlers.mock.state import WorldState
from clients_register.handlers.mock.state.arrangement import Arrangement
from clients_register.handlers.seeding import Seed
from clients_register.handlers.services import Services
from clients_register.handlers.store import Store
from clients_register.handlers.store.engine import DEFAULT, Engine

PREFIX = "/_world/"

# Seconds that a world which is to be closed waits for the requests in it.
PATIENCE = 70


class World:
    """The state of one base URL."""

    def __init__(
        self,
        name: str,
        state: WorldState,
        engine: Engine,
        ground: Ground,
        before: asyncio.Task[None] | None = None,
    ) -> None:
        """`before` is what still removes an earlier world of that name, with what it kept."""
        self.name = name
        self.state = state
        self.news = News(state.pace)
        self.busy = 0
        self.left = News()
        self._engine = engine
        self._ground = ground
        self._before = before
        self._opening = asyncio.Lock()
        self._store: Store | None = None
        self._services: Services | None = None

    @property
    def arranged(self) -> Arrangement:
        """What tests have arranged, as it was when it was last read."""
        return self.state.arranged

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
        self.state.touch()
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

    async def refresh(self) -> None:
        """Learns what other servers have done here. Raises StoreError."""
        await self._succeed()
        if not await self.state.read():
            self._services = None
            await self.services()

    async def services(self) -> Services:
        """What serves the world's requests; the first call opens its store. Raises StoreError."""
        if self._services is None:
            async with self._opening:
                if self._services is None:
                    self._services = await self._open()
        return self._services

    async def next(self) -> Item | None:
        """What the script has for the answer to be given now."""
        if not self.arranged.script.items:
            return None
        async with self.state.changing() as arranged:
            return arranged.script.next()

    async def keep(self, entry: Entry) -> None:
        """Puts `entry` into the journal, and tells who waits for it, or for the mail it caused."""
        await self.state.keep(entry)
        self.news.tell()

    async def reset(self) -> None:
        """As at the start, whole; the sum of all worlds still knows what was met in a named one."""
        async with self.state.changing() as arranged:
            arranged.restore()
        await self.state.forget_requests()
        await self.state.forget_met(whole=self.name == DEFAULT)
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
        await seed.plant(store, self.arranged.clock, self._ground.passwords)

    async def copy_from(self, other: "World") -> None:
        """Takes over the state of `other`, but for what callers did there."""
        source, target = (await other.services()).store, (await self.services()).store
        await target.remove([user.id for user in await target.users()], mails=True)
        await target.seed(await source.users(), await source.sessions(), public=True)
        for mail in await source.mails():
            await target.add_mail(mail)
        await other.refresh()
        async with self.state.changing() as arranged:
            arranged.load(other.arranged.document())

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
        await self._engine.erase(self.name)
        await self.state.remove()

    async def services_on(self, ground: Ground) -> Services | None:
        """What would serve the world on another `ground`; None where its store is not open.

        The seed of `ground` is planted.
        """
        if self._store is None:
            return None
        await ground.seed.plant(self._store, self.arranged.clock, ground.passwords)
        return self._on(self._store, ground)

    def settle(self, ground: Ground, services: Services | None) -> None:
        """From now on the world is served by `services`, which `services_on` gave for `ground`."""
        self._ground = ground
        if services is not None:
            self._services = services

    async def _succeed(self) -> None:
        """Waits until an earlier world of that name is gone, lest its state be taken for ours."""
        if self._before is not None:
            await asyncio.wait([self._before])
            self._before = None

    async def _open(self) -> Services:
        await self._succeed()
        async with self.state.opening() as new:
            store = await self._engine.store(self.name, public_allowed=True)
            try:
                services = self._on(store, self._ground)
                if new:
                    await self._plant(self._ground.seed, store)
            except BaseException:
                await store.close()
                raise
        self._store = store
        return services

    def _on(self, store: Store, ground: Ground) -> Services:
        faults = self.arranged.faults
        whole = ground.services(
            store,
            self.arranged.clock,
            deployed=FaultyServices(ground.seed.registry().services, faults),
            altered=lambda transport: FaultyTransport(transport, self.state),
        )
        return replace(whole, store=FaultyStore(store, faults))
