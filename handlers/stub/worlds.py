"""Worlds: isolated copies of the stub's state, one per base URL, so that parallel tests never meet.

The plain base URL is the default world; `/_world/NAME` is another one, created on first use. The
store of a world is created on the first request that needs it.
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from clients_register.handlers.context import Services
from clients_register.handlers.http.connection import Connection
from clients_register.handlers.models import Clock
from clients_register.handlers.resources import SharedResources
from clients_register.handlers.seed import Seed
from clients_register.handlers.store.base import Store
from clients_register.handlers.store.tinydb import TinyDBStore
from clients_register.handlers.stub.faults import FaultyTransport
from clients_register.handlers.stub.paths import check_world_name, is_name, path_prefix
from clients_register.handlers.stub.problems import Problem
from clients_register.handlers.stub.snapshots import Snapshot, Snapshots
from clients_register.handlers.stub.state import Notifier, WorldState
from clients_register.handlers.stub.traffic import (
    MAX_BYTES,
    MAX_TOTAL_BYTES,
    Coverage,
    LogEntry,
    total,
)
from clients_register.handlers.stub.world_files import DEFAULT, WorldFiles
from clients_register.spec.schema_errors import suggest

# How long closing a world waits for its requests, in seconds.
CLOSE_TIMEOUT = 70


class WorldLimits(NamedTuple):
    """How many worlds there may be, and after how many idle seconds one may make room."""

    worlds: int
    idle_seconds: float


class World:
    """The state behind one base URL: a store for clients, sessions and mails, and `state`."""

    def __init__(
        self,
        name: str,
        state: WorldState,
        files: WorldFiles,
        resources: SharedResources,
        predecessors: Collection[asyncio.Task[None]] = (),
    ) -> None:
        """`predecessors` are tasks that still remove earlier worlds of the same name."""
        self.name = name
        self.state = state
        self.changes = Notifier()
        self.active_requests = 0
        self._request_ended = Notifier()
        self._connections: set[Connection] = set()
        self._files = files
        self._used_at = time.monotonic()
        self._resources = resources
        self._predecessors = predecessors
        self._opening = asyncio.Lock()
        self._store: TinyDBStore | None = None
        self._services: Services | None = None

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last request."""
        return time.monotonic() - self._used_at

    @property
    def prefix(self) -> str:
        """The prefix of all paths of this world, empty for the default one."""
        return path_prefix(self.name)

    @property
    def personas(self) -> dict[str, Mapping[str, Any]]:
        """The users of the seed that have a persona name, by that name."""
        users = self._resources.seed.sections["users"]
        return {entry["persona"]: entry for entry in users if "persona" in entry}

    def begin_request(self, connection: Connection | None) -> None:
        """Keeps the world open until `end_request`. `connection` is that of the request."""
        if connection is not None:
            self._connections.add(connection)
        self._begin_use()

    def end_request(self, connection: Connection | None) -> None:
        """See `begin_request`."""
        if connection is not None:
            self._connections.remove(connection)
        self._end_use()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keeps the world open until the context ends."""
        self._begin_use()
        try:
            yield
        finally:
            self._end_use()

    async def sleep(self, seconds: float) -> bool:
        """Waits; returns False if the world is removed, or the server stops, in the meantime."""

        async def is_closed() -> bool:
            return self.changes.is_closed

        return not await self.changes.wait_for(is_closed, seconds)

    async def services(self) -> Services:
        """Returns the services of the world. The first call opens its store. Raises StoreError."""
        if self._services is None:
            async with self._opening:
                if self._services is None:
                    self._services = await self._open()
        return self._services

    def count_records(self) -> dict[str, int | None]:
        """Counts clients, sessions and mails; each is None if the store is not open yet."""
        if self._store is None:
            return dict.fromkeys(("clients", "sessions", "mails"))
        return {**self._store.count_records()}

    def record(self, entry: LogEntry) -> None:
        """Adds `entry` to the request log, and its status to the coverage.

        Wakes requests that wait for it or for its mail.
        """
        if entry.slug is not None:
            self.state.coverage.count(entry.slug, forced=entry.forced is not None)
        self.state.request_log.add(entry)
        self.changes.notify()

    async def reset(self, snapshot: Snapshot | None = None) -> None:
        """Restores the initial state, or `snapshot`, and empties the request log.

        `Worlds` manages the coverage.
        """
        self.state.request_log.clear()
        if snapshot is not None:
            await self.restore(snapshot)
        else:
            self.state.reset_settings()
            await self.reset_users()

    async def reset_users(self) -> None:
        """Restores the initial users and sessions, and empties the outbox."""
        store = (await self.services()).store
        await store.remove([user.id for user in await store.users()], mails=True)
        await self._plant(self._resources.seed, store)

    async def reset_persona(self, name: str) -> None:
        """Restores the persona `name` with their sessions; other users stay as they are."""
        store = (await self.services()).store
        await store.remove([self.personas[name]["id"]])
        await self._plant(self._resources.seed.only(name), store)

    async def reset_sessions(self) -> None:
        """Restores the initial sessions, and removes all others."""
        store = (await self.services()).store
        await store.remove(sessions=[session.digest for session in await store.sessions()])
        await self._plant(self._resources.seed, store)

    async def save(self) -> Snapshot:
        """Returns what the world contains now."""
        store = await self._opened_store()
        return Snapshot(
            world=self.name,
            saved_at=self.state.clock.now(),
            contents=store.dump(),
            counts=store.count_records(),
            state=self.state.copy_settings(),
        )

    async def restore(self, snapshot: Snapshot) -> None:
        """Replaces store and settings, but not request log and coverage."""
        store = await self._opened_store()
        await store.restore(snapshot.contents)
        self.state.copy_from(snapshot.state)

    async def close(self, remaining_requests: int = 0) -> None:
        """Closes the store, once no more than `remaining_requests` are active."""

        async def is_idle() -> bool:
            return self.active_requests <= remaining_requests

        await self._request_ended.wait_for(is_idle, CLOSE_TIMEOUT)
        if self._store is not None:
            # The data of named worlds is rarely kept, and there may be a thousand of them.
            await self._store.close(compact=self.name == DEFAULT)
            self._store = self._services = None

    def release_waiters(self) -> None:
        """Makes requests that wait for a change return."""
        self.changes.close()

    async def remove(self, remaining_requests: int = 0) -> None:
        """Closes the world, see `close`, and erases its data.

        Requests that wait for their clients lose their connections.
        """
        self.release_waiters()
        for connection in [*self._connections]:
            if connection.waits_for_client:
                connection.abort()
        await self.close(remaining_requests)
        self._files.erase(self.name)

    async def prepare_switch(self, resources: SharedResources) -> Services | None:
        """Plants the seed of `resources`, and returns services that use them.

        Returns None if the store is not open yet.
        """
        if self._store is None:
            return None
        await resources.seed.plant(self._store, self.state.clock, resources.passwords)
        return self._build_services(self._store, resources)

    def switch(self, resources: SharedResources, services: Services | None) -> None:
        """Switches to `resources` and the services that `prepare_switch` returned for them."""
        self._resources = resources
        if services is not None:
            self._services = services

    def _begin_use(self) -> None:
        self._used_at = time.monotonic()
        self.active_requests += 1

    def _end_use(self) -> None:
        self.active_requests -= 1
        self._request_ended.notify()
        if not self.active_requests and self._store is not None and self.name != DEFAULT:
            self._store.release_files()

    async def _opened_store(self) -> TinyDBStore:
        await self.services()
        assert self._store is not None, "opened with the services"
        return self._store

    async def _open(self) -> Services:
        if self._predecessors:
            # They use the same file.
            await asyncio.wait(self._predecessors)
            self._predecessors = ()
        store = await self._files.open_store(self.name)
        try:
            await self._plant(self._resources.seed, store)
        except BaseException:
            await store.close()
            raise
        self._store = store
        return self._build_services(store, self._resources)

    async def _plant(self, seed: Seed, store: Store) -> None:
        await seed.plant(store, self.state.clock, self._resources.passwords)

    def _build_services(self, store: Store, resources: SharedResources) -> Services:
        return resources.build_services(
            store,
            self.state.clock,
            wrap_transport=lambda transport: FaultyTransport(transport, self.state.faults),
        )


class Worlds:
    """All worlds of a stub."""

    def __init__(
        self,
        files: WorldFiles,
        stored_names: Iterable[str],
        resources: SharedResources,
        system_clock: Clock,
        limits: WorldLimits,
    ) -> None:
        """`stored_names` are worlds of earlier runs, whose data is in `files`."""
        self.limits = limits
        self.snapshots = Snapshots()
        self._files = files
        self._removed_coverage = Coverage()
        self._resources = resources
        self._system_clock = system_clock
        self._removals: dict[World, asyncio.Task[None]] = {}
        self._by_name: dict[str, World] = {}
        self.default = self._create(DEFAULT)
        for name in stored_names:
            if is_name(name):
                self._create(name)

    def all(self) -> list[World]:
        """Returns the default world, then the others by name."""
        return sorted(
            self._by_name.values(), key=lambda world: (world is not self.default, world.name)
        )

    def find(self, name: str) -> World | None:
        """Returns the world `name`, if there is one."""
        return self._by_name.get(name)

    def create(self, name: str) -> World:
        """Creates the world `name`, which must not exist.

        Raises Problem for an invalid name or too many worlds.
        """
        check_world_name(name)
        if len(self._by_name) >= self.limits.worlds:
            self._evict_idle()
        return self._create(name)

    def get(self, name: str) -> World:
        """Returns the world `name`. Raises Problem if there is none."""
        if name not in self._by_name:
            detail = f"there is no world {name!r}"
            raise Problem("no-such-world", detail, suggest(name, self._by_name), 404)
        return self._by_name[name]

    def coverage_of(self, world: World) -> Coverage:
        """Returns the coverage of `world`; the default world's sums all, removed ones included."""
        if world is not self.default:
            return world.state.coverage
        existing = [*self._by_name.values(), *self._removals]
        return total([self._removed_coverage, *(each.state.coverage for each in existing)])

    def clear_coverage(self, world: World) -> None:
        """Clears the coverage of `world`; for the default world, that of all worlds."""
        if world is self.default:
            self._removed_coverage = Coverage()
            for each in (*self._by_name.values(), *self._removals):
                each.state.coverage = Coverage()
        else:
            world.state.coverage = Coverage()

    async def reset(self, world: World, snapshot: Snapshot | None = None) -> None:
        """Restores the initial state of `world`, or `snapshot`.

        The sum keeps the coverage of a named one.
        """
        if world is not self.default:
            self._removed_coverage.add(world.state.coverage)
        world.state.coverage = Coverage()
        await world.reset(snapshot)

    async def remove(self, name: str, caller: World) -> None:
        """Removes the world `name`, on behalf of a request to the world `caller`.

        Raises Problem if there is no such world, or if it is the default one.
        """
        if name == DEFAULT:
            raise Problem(
                "default-world",
                "the default world cannot be deleted",
                "POST /_mock/reset brings it back to its initial state",
                code=409,
            )
        world = self.get(name)
        await asyncio.shield(self._start_removal(world, remaining_requests=int(world is caller)))

    async def switch(self, resources: SharedResources) -> None:
        """Switches all worlds to other resources, or none: raises StoreError."""
        prepared = [
            (world, await world.prepare_switch(resources)) for world in [*self._by_name.values()]
        ]
        for world, services in prepared:
            world.switch(resources, services)
        self._resources = resources

    def release_waiters(self) -> None:
        """Makes requests that wait for a change return, so that the server can stop."""
        for world in self._by_name.values():
            world.release_waiters()

    async def close(self) -> None:
        """Closes all worlds; their data stays."""
        for world in self._by_name.values():
            await world.close()

    def _create(self, name: str) -> World:
        predecessors = [task for world, task in self._removals.items() if world.name == name]
        tokens = [entry["token"] for entry in self._resources.seed.sections["sessions"]]
        state = WorldState(self._system_clock, tokens)
        world = World(name, state, self._files, self._resources, predecessors)
        self._by_name[name] = world
        size = min(MAX_BYTES, MAX_TOTAL_BYTES // len(self._by_name))
        for each in self._by_name.values():
            each.state.request_log.limit(size)
        return world

    def _evict_idle(self) -> None:
        idle = [
            world
            for world in self._by_name.values()
            if world is not self.default
            and not world.active_requests
            and world.idle_seconds > self.limits.idle_seconds
        ]
        if not idle:
            raise Problem(
                "too-many-worlds",
                f"there are already {self.limits.worlds} worlds, and none of them was idle for"
                f" {self.limits.idle_seconds:g} seconds",
                "DELETE /_mock/worlds/NAME when a test is done with its world, or start the server"
                " with a higher --max-worlds or a lower --world-idle-timeout",
                code=400,
            )
        self._start_removal(max(idle, key=lambda world: world.idle_seconds))

    def _start_removal(self, world: World, remaining_requests: int = 0) -> asyncio.Task[None]:
        """Starts to remove `world`; its name may be used again immediately."""
        self._by_name.pop(world.name, None)
        removal = asyncio.create_task(world.remove(remaining_requests))
        self._removals[world] = removal
        removal.add_done_callback(lambda _: self._finish_removal(world))
        return removal

    def _finish_removal(self, world: World) -> None:
        del self._removals[world]
        self._removed_coverage.add(world.state.coverage)
