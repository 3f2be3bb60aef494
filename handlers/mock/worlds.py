"""Worlds: isolated copies of the stub's state, one per base URL, so that parallel tests never meet.

The default world is the plain base URL; `/_world/NAME` is another one, made on first use.
"""

import asyncio
import re
import time
from collections.abc import Iterable, Iterator

from clients_register.handlers.building import Ground
from clients_register.handlers.clock import Clock
from clients_register.handlers.mock.coverage import Coverage, total
from clients_register.handlers.mock.problems import Problem, suggestion
from clients_register.handlers.mock.world import PREFIX, World
from clients_register.handlers.store.engine import DEFAULT, Engine

MOST = 1000

# Seconds without a request after which a world may make room for another.
IDLE = 3600

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Worlds:
    """All worlds of a server."""

    def __init__(self, engine: Engine, found: Iterable[str], ground: Ground, behind: Clock) -> None:
        """`engine` keeps them; `found` are the names of those that it kept before."""
        self._engine = engine
        self._ground = ground
        self._behind = behind
        self.default = World(DEFAULT, engine, ground, behind)
        self._named = {DEFAULT: self.default}
        self._gone = Coverage()
        self._leaving: dict[str, asyncio.Task[None]] = {}
        for name in found:
            if name != DEFAULT and _NAME.fullmatch(name):
                self._named[name] = World(name, engine, ground, behind)

    def __iter__(self) -> Iterator[World]:
        """The default one first, the others by name."""
        yield self.default
        yield from (self._named[name] for name in sorted(self._named) if name != DEFAULT)

    def at(self, path: str) -> tuple[World, str]:
        """The world that `path` is in, and the path there. Raises Problem."""
        if not path.startswith(PREFIX):
            return self.default, path
        name, slash, rest = path.removeprefix(PREFIX).partition("/")
        return self.named(name), slash + rest

    def named(self, name: str) -> World:
        """The world called `name`, made if it is not there. Raises Problem."""
        known = self._named.get(name)
        if known is not None:
            return known
        if _NAME.fullmatch(name) is None:
            raise Problem(
                "bad-world",
                f"expected a world's name of 1 to 64 letters, digits, _ and -, found {name!r}",
                f"Such as {PREFIX}my-test/api/v1/clients/register",
            )
        if len(self._named) >= MOST:
            self._make_room()
        before = self._leaving.get(name)
        world = World(name, self._engine, self._ground, self._behind, before)
        self._named[name] = world
        return world

    def coverage(self, world: World) -> Coverage:
        """What the callers of `world` have met; the default world's is the sum of all."""
        if world is not self.default:
            return world.coverage
        return total([self._gone, *(each.coverage for each in self._named.values())])

    def forget_coverage(self, world: World) -> None:
        """From now on nothing was met in `world`; for the default one, in none."""
        for each in self if world is self.default else (world,):
            each.coverage = Coverage()
        if world is self.default:
            self._gone = Coverage()

    def existing(self, name: str) -> World:
        """The world called `name`. Raises Problem where there is none."""
        if name not in self._named:
            detail = f"there is no world {name!r}"
            raise Problem("no-such-world", detail, suggestion(name, self._named), 404)
        return self._named[name]

    async def remove(self, name: str, caller: World) -> None:
        """Deletes the world called `name`, for a request in the world `caller`.

        Raises Problem where there is none, or it must stay.
        """
        if name == DEFAULT:
            raise Problem(
                "default-world",
                "the default world cannot be deleted",
                "POST /_mock/reset brings it back to its initial state",
                code=409,
            )
        world = self.existing(name)
        await self._let_go(world, still_in_it=int(world is caller))

    async def settle(self, ground: Ground) -> None:
        """Puts all worlds on another `ground`, or none: raises StoreError."""
        served = [(world, await world.services_on(ground)) for world in self]
        for world, services in served:
            world.settle(ground, services)
        self._ground = ground

    async def reset(self, world: World) -> None:
        """`world` as at the start; what was met in one with a name stays in the sum of all."""
        if world is not self.default:
            self._gone.add(world.coverage)
        await world.reset()

    def end(self) -> None:
        """Nothing will happen any more: who waits for news is answered."""
        for world in self._named.values():
            world.end()

    async def close(self) -> None:
        """Closes all worlds; what they keep stays."""
        for world in self._named.values():
            await world.close()

    def _make_room(self) -> None:
        now = time.monotonic()
        idle = [
            world
            for world in self._named.values()
            if world is not self.default and not world.busy and now - world.used_at > IDLE
        ]
        if not idle:
            raise Problem(
                "too-many-worlds",
                f"there are {MOST} worlds already, and none was left idle for an hour",
                "DELETE /_mock/worlds/NAME those that are done with",
                code=400,
            )
        oldest = min(idle, key=lambda world: world.used_at)
        self._let_go(oldest)

    def _let_go(self, world: World, still_in_it: int = 0) -> asyncio.Task[None]:
        """Begins to remove `world`; another one of its name may be made at once."""
        del self._named[world.name]
        self._gone.add(world.coverage)
        leaving = asyncio.create_task(world.remove(still_in_it))
        self._leaving[world.name] = leaving
        leaving.add_done_callback(lambda _: self._left(world.name, leaving))
        return leaving

    def _left(self, name: str, leaving: asyncio.Task[None]) -> None:
        if self._leaving.get(name) is leaving:
            del self._leaving[name]
