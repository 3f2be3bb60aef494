"""Many requests in a row, with time, tokens, faults and worlds between: a machine and a model.

Each step changes a server and the model of it, and every answer is held against what the oracle
makes of the model. Where a target has no control plane, the steps that need one are left out.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from clients_register.conformance.fuzzing.grounds import TwoWorlds
from clients_register.conformance.fuzzing.modelled import PEOPLE, arranged
from clients_register.conformance.fuzzing.violation import Violation
from clients_register.conformance.fuzzing.world import MAX_AGE, MAX_IDLE, World
from clients_register.conformance.model import Send

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

# Restarts in a sequence: they take long, and one after the other tells no more.
RESTARTS = 2

WORLDS = st.integers(0, 1)

# What a token is used for: a registration that is right, one that is refused, or two such.
USES = ("right", "refused", "twice")

STATES = ("application-token", *PEOPLE)


class Met(NamedTuple):
    """Somebody who was met in a world. `token` is that of a session of theirs."""

    world: int
    email: str
    password: str | None
    token: str | None


class Sequences(RuleBasedStateMachine):
    """Registers, repeats, proves, waits and breaks, in one world and in another."""

    watch: AbstractContextManager[Any] = nullcontext()

    def __init__(self, ground: TwoWorlds) -> None:
        super().__init__()
        self.ground = ground
        self.trail: list[str] = []
        self.restarts = 0
        self.people: list[Met] = []
        self.tokens: list[tuple[int, str]] = []

    def world(self, number: int) -> World:
        """The model of one world."""
        return self.ground.examiner(number).world

    def pick(self, world: int) -> int:
        """The number of a world that there is."""
        return world % self.ground.worlds

    @rule(world=WORLDS, state=st.sampled_from(STATES), use=st.sampled_from(USES))
    def meet(self, world: int, state: str, use: str) -> None:
        """Somebody is there, perhaps with a session, which they use."""
        world = self.pick(world)
        values = self.ground.examiner(world).values()
        given = self.ground.arrange(world, state, values)
        if given is None:
            return
        arranged(self.world(world), state, given)
        self.trail.append(f"in world {world}: {state}")
        token = given.get("token")
        if "user.email" in given:
            self.people.append(Met(world, given["user.email"], given.get("user.password"), token))
        if token is not None:
            self.tokens.append((world, token))
            self._use(world, token, use)

    @rule(world=WORLDS, view=st.sampled_from([None, "client_read"]))
    def register(self, world: int, view: str | None) -> None:
        """Somebody new."""
        self._send(self.pick(world), {} if view is None else {"view": view})

    @precondition(lambda self: self.people)
    @rule(
        data=st.data(),
        elsewhere=st.booleans(),
        spelling=st.sampled_from([str, str.upper, str.title, " {} ".format]),
        proof=st.sampled_from(["none", "password", "token", "another's token"]),
    )
    def register_again(
        self, data: Any, elsewhere: bool, spelling: Callable[[str], str], proof: str
    ) -> None:
        """Somebody who is there, in another spelling, with some proof; or the same elsewhere."""
        met = data.draw(st.sampled_from(self.people))
        changes: dict[str, Any] = {"client.email": spelling(met.email)}
        if proof == "password" and met.password is not None:
            changes["client.password"] = met.password
        if proof == "token" and met.token is not None:
            changes["token"] = met.token
        if proof == "another's token" and self.tokens:
            changes["token"] = data.draw(st.sampled_from(self.tokens))[1]
        self._send(self.pick(met.world + elsewhere), changes)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), elsewhere=st.booleans(), use=st.sampled_from(USES))
    def use_token(self, data: Any, elsewhere: bool, use: str) -> None:
        """A token, with a registration that is right, or one that is refused all the same."""
        world, token = data.draw(st.sampled_from(self.tokens))
        self._use(self.pick(world + elsewhere), token, use)

    @precondition(lambda self: self.ground.controlled)
    @rule(world=WORLDS, step=st.sampled_from(STEPS))
    def wait(self, world: int, step: timedelta) -> None:
        """Time passes in one world."""
        self._wait(self.pick(world), step)

    @precondition(lambda self: self.ground.controlled and self.tokens)
    @rule(data=st.data(), past=st.sampled_from([-SECOND, timedelta(), SECOND]), old=st.booleans())
    def wait_for_a_limit(self, data: Any, past: timedelta, old: bool) -> None:
        """So much time that a session is at a limit, or a second off; then it is used.

        To grow `old`, it is used meanwhile, so that it is not the other limit that ends it.
        """
        world, token = data.draw(st.sampled_from(self.tokens))
        session = self.world(world).sessions.get(token)
        if session is None:
            return
        end = session.created + MAX_AGE if old else session.used + MAX_IDLE
        while old and end + past - self.world(world).now > MAX_IDLE:
            self._wait(world, MAX_IDLE)
            self._use(world, token, "refused")
        self._wait(world, max(end + past - self.world(world).now, timedelta()))
        self._use(world, token, "right")

    @precondition(lambda self: self.ground.controlled)
    @rule(
        world=WORLDS,
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

    @precondition(lambda self: self.ground.restart is not None and self.restarts < RESTARTS)
    @rule()
    def restart(self) -> None:
        """The server stops and starts; people, sessions and mails are as before."""
        assert self.ground.restart is not None, "the precondition"
        self.ground.restart()
        self.restarts += 1
        for world in range(self.ground.worlds):
            self.world(world).broken = set()
            self.world(world).mail_failures = 0
        self.trail.append("the server starts again")

    @rule(world=WORLDS, others=st.integers(1, 3))
    def race(self, world: int, others: int) -> None:
        """One new address, several times at once: one of them is first."""
        world = self.pick(world)
        values = self.ground.examiner(world).values()
        self.trail.append(f"in world {world}: {others + 1} registrations of one address at once")
        with self.watch:
            self._told(lambda: self.ground.race(world, Send(), values, others + 1))
        self.people.append(Met(world, values.get("email"), values.get("password"), None))

    def _use(self, world: int, token: str, use: str) -> None:
        refused = {"token": token, "view": "${unique}"}
        for _ in range(2 if use == "twice" else 1):
            self._send(world, {"token": token} if use == "right" else refused)

    def _wait(self, world: int, step: timedelta) -> None:
        self.ground.advance(world, step)
        self.world(world).now += step
        self.trail.append(f"in world {world}: {step} pass")

    def _send(self, world: int, changes: Mapping[str, Any]) -> None:
        examiner = self.ground.examiner(world)
        values = examiner.values()
        send = Send(set=changes)
        told = values.fill(changes)
        self.trail.append(f"in world {world}: register with {self._shown(told) or 'nothing odd'}")
        with self.watch:
            envelope = self._told(lambda: self.ground.ask(world, send, values))
        token = examiner.run.target.layout.find(envelope, "/session/token")
        email = str(told.get("client.email", values.get("email"))).strip()
        mine = token if isinstance(token, str) else None
        if mine is not None:
            self.tokens.append((world, mine))
        self.people.append(Met(world, email, values.get("password"), mine))

    def _shown(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Changes without secrets: tokens by their number, and whose password it is."""
        hidden = {token: f"token {number}" for number, (_, token) in enumerate(self.tokens)}
        return {
            name: "their password" if name.endswith("password") else hidden.get(value, value)
            for name, value in changes.items()
        }

    def _told(self, step: Callable[[], Any]) -> Any:
        """What comes of the last step of the trail; a fault tells all of it."""
        try:
            return step()
        except Violation as violation:
            violation.about = "; ".join(self.trail)
            raise

    def teardown(self) -> None:
        """Forgets the worlds of this sequence."""
        self.ground.close()
