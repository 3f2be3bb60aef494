"""Worlds: isolated copies of the stub's state, one per base URL, so that parallel tests never meet.

The default world is the plain base URL; `/_world/NAME` is another one, made on first use.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping

from clients_register.handlers.building import Ground
from clients_register.handlers.clock import Clock
from clients_register.handlers.mock.clock import WorldClock
from clients_register.handlers.mock.coverage import Coverage
from clients_register.handlers.mock.minted import Minted
from clients_register.handlers.mock.problems import Problem, suggestion
from clients_register.handlers.mock.state import States, Use
from clients_register.handlers.mock.state.arrangement import Arrangement
from clients_register.handlers.mock.world import PREFIX, World
from clients_register.handlers.store.engine import DEFAULT, Engine

MOST = 1000

# Seconds without a request after which a world may make room for another.
IDLE = 3600

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Worlds:
    """All worlds of a server, or of several that share them.

    Other servers make and remove worlds, too: who is here only knows those that were used here.
    """

    def __init__(
        self, engine: Engine, states: States, found: Iterable[str], ground: Ground, behind: Clock
    ) -> None:
        """`engine` keeps their stores; `found` are the names of those that it kept before."""
        self._engine = engine
        self._states = states
        self._ground = ground
        self._behind = behind
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._named: dict[str, World] = {}
        self.default = self._made(DEFAULT)
        for name in found:
            if _NAME.fullmatch(name):
                self._here(name)

    async def all(self) -> Mapping[World, Use]:
        """World -> use, the default one first, the others by name."""
        uses = await self._states.uses()
        for name, world in [*self._named.items()]:
            if name not in uses and not world.busy and world is not self.default:
                del self._named[name]
        names = sorted(uses, key=lambda name: (name != DEFAULT, name))
        return {
            self._here(name): uses[name]
            for name in names
            if name in self._named or name not in self._leaving
        }

    async def clients(self) -> Mapping[str, int]:
        """Name -> number of clients, of worlds that were used. Nothing is opened to find out.

        Opened by who only looks, a world that is removed meanwhile would be there again.
        """
        return await self._engine.clients()

    async def at(self, path: str) -> tuple[World, str]:
        """The world that `path` is in, and the path there. Raises Problem."""
        if not path.startswith(PREFIX):
            return self.default, path
        name, slash, rest = path.removeprefix(PREFIX).partition("/")
        return self._named.get(name) or await self.named(name), slash + rest

    async def named(self, name: str) -> World:
        """The world called `name`, made if it is not there. Raises Problem."""
        if name in self._named:
            return self._named[name]
        if _NAME.fullmatch(name) is None:
            raise Problem(
                "bad-world",
                f"expected a world's name of 1 to 64 letters, digits, _ and -, found {name!r}",
                f"Such as {PREFIX}my-test/api/v1/clients/register",
            )
        if len(self._named) >= MOST:
            there = await self.all()
            if len(there) >= MOST and name not in self._named:
                self._make_room(there)
        return self._here(name)

    async def existing(self, name: str) -> World:
        """The world called `name`. Raises Problem where there is none."""
        there = {world.name: world for world in await self.all()}
        if name not in there:
            detail = f"there is no world {name!r}"
            raise Problem("no-such-world", detail, suggestion(name, there), 404)
        return there[name]

    async def met(self, world: World) -> Coverage:
        """What the callers of `world` have met; the default world's is the sum of all."""
        return await (self._states.met() if world is self.default else world.state.met())

    async def forget_met(self, world: World) -> None:
        """From now on nothing was met in `world`; for the default one, in none."""
        if world is self.default:
            await self._states.forget_met()
        else:
            await world.state.forget_met(whole=True)

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
        world = await self.existing(name)
        await self._let_go(world, still_in_it=int(world is caller))

    async def settle(self, ground: Ground) -> None:
        """Puts all worlds on another `ground`, or none: raises StoreError."""
        served = [(world, await world.services_on(ground)) for world in [*self._named.values()]]
        for world, services in served:
            world.settle(ground, services)
        self._ground = ground

    def end(self) -> None:
        """Nothing will happen any more: who waits for news is answered."""
        for world in self._named.values():
            world.end()

    async def close(self) -> None:
        """Closes all worlds; what they keep stays."""
        for world in self._named.values():
            await world.close()

    def _made(self, name: str) -> World:
        before = self._leaving.get(name)
        minted = Minted(entry["token"] for entry in self._ground.seed.sections["sessions"])
        state = self._states.of(name, Arrangement(WorldClock(self._behind), minted))
        world = self._named[name] = World(name, state, self._engine, self._ground, before)
        return world

    def _here(self, name: str) -> World:
        return self._named.get(name) or self._made(name)

    def _make_room(self, there: Mapping[World, Use]) -> None:
        idle = [
            world
            for world, use in there.items()
            if world is not self.default and not world.busy and use.idle > IDLE
        ]
        if not idle:
            raise Problem(
                "too-many-worlds",
                f"there are {MOST} worlds already, and none was left idle for an hour",
                "DELETE /_mock/worlds/NAME those that are done with",
                code=400,
            )
        self._let_go(max(idle, key=lambda world: there[world].idle))

    def _let_go(self, world: World, still_in_it: int = 0) -> asyncio.Task[None]:
        """Begins to remove `world`; another one of its name may be made at once."""
        self._named.pop(world.name, None)
        leaving = asyncio.create_task(world.remove(still_in_it))
        self._leaving[world.name] = leaving
        leaving.add_done_callback(lambda _: self._left(world.name, leaving))
        return leaving

    def _left(self, name: str, leaving: asyncio.Task[None]) -> None:
        if self._leaving.get(name) is leaving:
            del self._leaving[name]
