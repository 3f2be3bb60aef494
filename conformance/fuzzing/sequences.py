"""Many requests in a row, with time, tokens, faults and worlds between: a machine and a model.

Each step changes a server and the model of it, and every answer is held against what the oracle
makes of the model. Where a target has no control plane, the steps that need one are left out.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from clients_register.conformance.composing import Values
from clients_register.conformance.envelope import ABSENT
from clients_register.conformance.fuzzing.examining import Examiner, Violation
from clients_register.conformance.fuzzing.modelled import PEOPLE, arranged
from clients_register.conformance.fuzzing.world import MAX_AGE, MAX_IDLE, World
from clients_register.conformance.model import Send

LAYER = "sequences"

# What of the server can be broken meanwhile: a fact, and what the control plane is asked for.
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "service_is_deployed": {"service_deployed": False},
    "route_is_deployed": {"route_deployed": False},
    "request_is_identified": {"crash": "before-routing"},
    "nothing_unforeseen_happens": {"crash": "in-handler"},
}

SECOND = timedelta(seconds=1)

# Steps through time: to a limit, past it, and well within.
STEPS = (
    SECOND,
    timedelta(hours=1),
    timedelta(days=1),
    MAX_IDLE - SECOND,
    MAX_IDLE,
    MAX_IDLE + SECOND,
    MAX_AGE - MAX_IDLE,
    MAX_AGE,
    MAX_AGE + SECOND,
)

STATES = ("application-token", *PEOPLE)


class Ground(Protocol):
    """Where a machine does its steps. Every call waits until it is done."""

    worlds: int

    def examiner(self, world: int) -> Examiner:
        """That of one of its worlds."""
        ...

    def ask(self, world: int, send: Send, values: Values) -> Any:
        """The envelope of an answer that is right; raises Violation."""
        ...

    def arrange(self, world: int, state: str, values: Values) -> Mapping[str, Any] | None:
        """Brings one world into a state; None where there is no way to it."""
        ...

    @property
    def controlled(self) -> bool:
        """Whether time and faults are in its hands."""
        ...

    def advance(self, world: int, step: timedelta) -> None:
        """Lets time pass in one world."""
        ...

    def break_(self, world: int, faults: Mapping[str, Any]) -> None:
        """Has exactly these faults in one world."""
        ...

    @property
    def restart(self) -> Callable[[], None] | None:
        """Stops the server and starts it again, where that is in its hands."""
        ...

    def close(self) -> None:
        """Forgets the worlds."""
        ...


class Sequences(RuleBasedStateMachine):
    """Registers, repeats, proves, waits and breaks, in one world and in another."""

    watch: AbstractContextManager[Any] = nullcontext()

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self.ground = ground
        self.trail: list[str] = []
        self.people: list[tuple[int, str, str]] = []
        self.tokens: list[tuple[int, str]] = []

    def world(self, number: int) -> World:
        """The model of one world."""
        return self.ground.examiner(number).world

    def pick(self, world: int) -> int:
        """The number of a world that there is."""
        return world % self.ground.worlds

    @initialize()
    def begin(self) -> None:
        """Ends the round here, if it is to end."""
        with self.watch:
            pass

    @rule(world=st.integers(0, 1), state=st.sampled_from(STATES))
    def meet(self, world: int, state: str) -> None:
        """Somebody is there, perhaps with a session."""
        world = self.pick(world)
        values = self.ground.examiner(world).values()
        given = self.ground.arrange(world, state, values)
        if given is None:
            return
        arranged(self.world(world), state, given)
        self.trail.append(f"in world {world}: {state}")
        if "user.email" in given:
            self.people.append((world, given["user.email"], given.get("user.password", "")))
        if "token" in given:
            self.tokens.append((world, given["token"]))

    @rule(world=st.integers(0, 1), view=st.sampled_from([None, "client_read"]))
    def register(self, world: int, view: str | None) -> None:
        """Somebody new."""
        self._send(self.pick(world), {} if view is None else {"view": view})

    @precondition(lambda self: self.people)
    @rule(
        data=st.data(),
        elsewhere=st.booleans(),
        spelling=st.sampled_from([str, str.upper, str.title, " {} ".format]),
        right=st.booleans(),
    )
    def register_again(
        self, data: Any, elsewhere: bool, spelling: Callable[[str], str], right: bool
    ) -> None:
        """Somebody who is there, in another spelling, with their password or not; or elsewhere."""
        world, email, password = data.draw(st.sampled_from(self.people))
        changes: dict[str, Any] = {"client.email": spelling(email)}
        if right and password:
            changes["client.password"] = password
        if data.draw(st.booleans()) and self.tokens:
            changes["token"] = data.draw(st.sampled_from(self.tokens))[1]
        self._send(self.pick(world + 1) if elsewhere else world, changes)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), elsewhere=st.booleans(), valid=st.booleans())
    def use_token(self, data: Any, elsewhere: bool, valid: bool) -> None:
        """A token, with a registration that is right, or one that is refused all the same."""
        world, token = data.draw(st.sampled_from(self.tokens))
        changes = {"token": token} if valid else {"token": token, "view": "${unique}"}
        self._send(self.pick(world + 1) if elsewhere else world, changes)

    @precondition(lambda self: self.ground.controlled)
    @rule(world=st.integers(0, 1), step=st.sampled_from(STEPS))
    def wait(self, world: int, step: timedelta) -> None:
        """Time passes in one world."""
        world = self.pick(world)
        self.ground.advance(world, step)
        self.world(world).now += step
        self.trail.append(f"in world {world}: {step} pass")

    @precondition(lambda self: self.ground.controlled)
    @rule(
        world=st.integers(0, 1),
        fact=st.none() | st.sampled_from(sorted(FAULTS)),
        mails=st.integers(0, 2),
    )
    def break_(self, world: int, fact: str | None, mails: int) -> None:
        """One world is broken, or whole again."""
        world = self.pick(world)
        faults = {**(FAULTS[fact] if fact else {}), "mail_failures": mails}
        self.ground.break_(world, faults)
        self.world(world).broken = {fact} if fact else set()
        self.world(world).mail_failures = mails
        self.trail.append(f"in world {world}: {faults}")

    @precondition(lambda self: self.ground.restart is not None)
    @rule()
    def restart(self) -> None:
        """The server stops and starts; people, sessions and mails are as before."""
        assert self.ground.restart is not None, "the precondition"
        self.ground.restart()
        for world in range(self.ground.worlds):
            self.world(world).broken = set()
            self.world(world).mail_failures = 0
        self.trail.append("the server starts again")

    def _send(self, world: int, changes: Mapping[str, Any]) -> None:
        examiner = self.ground.examiner(world)
        values = examiner.values()
        send = Send(set=changes)
        told = values.fill(changes)
        self.trail.append(f"in world {world}: register with {told or 'nothing odd'}")
        with self.watch:
            try:
                envelope = self.ground.ask(world, send, values)
            except Violation as violation:
                violation.about = "; ".join(self.trail)
                raise
        token = examiner.run.target.layout.find(envelope, "/session/token")
        email = str(told.get("client.email", values.get("email")))
        if token is not ABSENT and isinstance(token, str):
            self.tokens.append((world, token))
        self.people.append((world, email.strip(), values.get("password")))

    def teardown(self) -> None:
        """Forgets the worlds of this sequence."""
        self.ground.close()
