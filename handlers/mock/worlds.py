"""Worlds: isolated copies of the stub's state, one per base URL, so that parallel tests never meet.

The default world is the plain base URL; `/_world/NAME` is another one, made on first use.
"""

import asyncio
import re
from collections.abc import Iterable

from clients_register.handlers.building import Ground
from clients_register.handlers.clock import Clock
from clients_register.handlers.mock.coverage import Coverage, total
from clients_register.handlers.mock.problems import Problem, suggestion
from clients_register.handlers.mock.state import WorldState
from clients_register.handlers.mock.world import PREFIX, World
from clients_register.handlers.store.files import DEFAULT, Files

MOST = 1000

# Seconds without a request after which a world may make room for another.
IDLE = 3600

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Worlds:
    """All worlds of a stub."""

    def __init__(self, files: Files, found: Iterable[str], ground: Ground, behind: Clock) -> None:
        """`files` keeps their stores, `found` are the names of worlds that it kept before."""
        self._files = files
        self._gone = Coverage()
        self._ground = ground
        self._behind = behind
        self._leaving: dict[World, asyncio.Task[None]] = {}
        self._named: dict[str, World] = {}
        self.default = self._made(DEFAULT)
        for name in found:
            if _NAME.fullmatch(name):
                self._made(name)

    def all(self) -> list[World]:
        """All worlds, the default one first, the others by name."""
        return sorted(
            self._named.values(), key=lambda world: (world is not self.default, world.name)
        )

    def at(self, path: str) -> tuple[World, str]:
        """The world that `path` is in, and the path there. Raises Problem."""
        if not path.startswith(PREFIX):
            return self.default, path
        name, slash, rest = path.removeprefix(PREFIX).partition("/")
        return self.named(name), slash + rest

    def named(self, name: str) -> World:
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
            self._make_room()
        return self._made(name)

    def existing(self, name: str) -> World:
        """The world called `name`. Raises Problem where there is none."""
        if name not in self._named:
            detail = f"there is no world {name!r}"
            raise Problem("no-such-world", detail, suggestion(name, self._named), 404)
        return self._named[name]

    def met(self, world: World) -> Coverage:
        """The coverage of `world`; the default world's is the sum of all, removed ones included."""
        if world is not self.default:
            return world.state.coverage
        there = [*self._named.values(), *self._leaving]
        return total([self._gone, *(each.state.coverage for each in there)])

    def forget_met(self, world: World) -> None:
        """Clears the coverage of `world`; of the default one, that of all worlds."""
        if world is self.default:
            self._gone = Coverage()
            for each in (*self._named.values(), *self._leaving):
                each.state.coverage = Coverage()
        else:
            world.state.coverage = Coverage()

    async def reset(self, world: World) -> None:
        """Restores the initial state of `world`. The sum keeps the coverage of a named one."""
        if world is not self.default:
            self._gone.add(world.state.coverage)
        world.state.coverage = Coverage()
        await world.reset()

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
        before = [task for world, task in self._leaving.items() if world.name == name]
        tokens = [entry["token"] for entry in self._ground.seed.sections["sessions"]]
        state = WorldState(self._behind, tokens)
        world = self._named[name] = World(name, state, self._files, self._ground, before)
        return world

    def _make_room(self) -> None:
        idle = [
            world
            for world in self._named.values()
            if world is not self.default and not world.busy and world.idle > IDLE
        ]
        if not idle:
            raise Problem(
                "too-many-worlds",
                f"there are {MOST} worlds already, and none was left idle for an hour",
                "DELETE /_mock/worlds/NAME those that are done with",
                code=400,
            )
        self._let_go(max(idle, key=lambda world: world.idle))

    def _let_go(self, world: World, still_in_it: int = 0) -> asyncio.Task[None]:
        """Begins to remove `world`; another one of its name may be made at once."""
        self._named.pop(world.name, None)
        leaving = asyncio.create_task(world.remove(still_in_it))
        self._leaving[world] = leaving
        leaving.add_done_callback(lambda _: self._left(world))
        return leaving

    def _left(self, world: World) -> None:
        del self._leaving[world]
        self._gone.add(world.state.coverage)
