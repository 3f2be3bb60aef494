"""Worlds to explore: on our stub a new one for each round, else the one that the target is."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from clients_register import spec
from clients_register.conformance.arranging import Arranger
from clients_register.conformance.control import Control, ControlFailed
from clients_register.conformance.fuzzing.world import Person, World
from clients_register.conformance.hook import Hook
from clients_register.conformance.judging import Run
from clients_register.conformance.target import Target


@dataclass(frozen=True)
class Place:
    """A world: the ways to it, and the model of it. `prefix` stands before each path."""

    arranger: Arranger
    world: World
    control: Control | None
    prefix: str


def model(target: Target) -> World:
    """What is known of a target before anything is sent to it.

    Of our stub's registry and its personas all is known, apart from their sessions. Of another
    server only what its profile tells is known: what our fixtures hold, it may know or not.
    """
    applications = {each["slug"]: each["name"] for each in _fixture("applications")}
    companies = frozenset(each["id"] for each in _fixture("companies"))
    if target.control:
        tokens = frozenset(each["token"] for each in _fixture("personas", "application_tokens"))
        world = World(applications, companies, application_tokens=tokens)
        for each in _fixture("personas", "users"):
            staff = bool(each.get("roles"))
            world.add(Person(each["email"], each.get("password"), "client" in each, staff))
        return world
    return World(
        {target.application: None},
        frozenset({target.company}),
        maybe=frozenset(applications) | companies,
    )


class Worlds:
    """Hands out places on one target. `given_up`: a request was, and may yet arrive."""

    def __init__(self, run: Run, hook: Hook | None, control_token: str | None) -> None:
        self._run = run
        self._hook = hook
        self._token = control_token
        self._lasting = model(run.target)
        self.given_up = False

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Place]:
        """A world for a while: an empty one where there are any, and gone afterwards."""
        target = self._run.target
        if not target.control:
            yield Place(Arranger(target, None, self._hook), self._lasting, None, "")
            return
        name = f"fuzz-{self._run.name}-{secrets.token_hex(4)}"
        control = Control(self._run.wire, name, self._token)
        try:
            yield Place(Arranger(target, control, None), model(target), control, control.prefix)
        finally:
            # A request that was given up may arrive after the first, and make the world anew.
            for _ in range(1 + self.given_up):
                # Where it cannot be forgotten, nothing else can be done with the target either.
                with suppress(ControlFailed):
                    await Control(self._run.wire, None, self._token).delete_world(name)


def _fixture(name: str, key: str | None = None) -> list[dict[str, Any]]:
    written = spec.parse((files("clients_register.fixtures") / f"{name}.yaml").read_text("utf-8"))
    listed: list[dict[str, Any]] = written[key or name]
    return listed
