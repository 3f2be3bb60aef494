"""Sequences of requests with time, tokens, faults and two worlds, compared with a model.

Each step changes the server and the model of it. On a target without a control plane, the steps
that need one are left out.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from typing_extensions import override

from clients_register.conformance.case import RequestTemplate
from clients_register.conformance.exchange import ArrangementFailed
from clients_register.conformance.fuzz.campaign import Campaign
from clients_register.conformance.fuzz.checker import Checker, ContractViolation, Sandbox
from clients_register.conformance.fuzz.world_model import MAX_AGE, MAX_IDLE, PEOPLE, WorldModel
from clients_register.conformance.request import Values
from clients_register.conformance.states import NotArranged

LAYER = "sequences"

# The time at which the clocks of a sequence start; the model counts from there.
START = datetime(2030, 1, 1, tzinfo=UTC)

# Faults of the server, by the rule that they violate.
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "service_is_deployed": {"service_deployed": False},
    "route_is_deployed": {"route_deployed": False},
    "request_is_identified": {"crash": "before-routing"},
    "nothing_unforeseen_happens": {"crash": "in-handler"},
}

SECOND = timedelta(seconds=1)

# Steps of the clock: well within the limits, to them, and beyond.
CLOCK_STEPS = (
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

# Restarts in a sequence. They are slow, and more prove nothing new.
MAX_RESTARTS = 2

WORLDS = st.integers(0, 1)

# How a token is used: for a valid registration, for a refused one, or for two refused ones.
USES = ("right", "refused", "twice")

STATES = ("application-token", *PEOPLE)


class SequenceWorlds:
    """The two worlds of a sequence, with their clocks frozen; on other targets, there is one.

    The methods wait for their completion, and raise CampaignEnded.
    """

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign
        self._sandboxes: list[Sandbox] = []
        with ExitStack() as stack:
            self._sandboxes.append(stack.enter_context(campaign.sandbox()))
            if self.controlled:
                self._sandboxes.append(stack.enter_context(campaign.sandbox()))
            self._set_clocks()
            # If anything above raises, the worlds are deleted.
            self._stack = stack.pop_all()
        self._checkers = [campaign.checker(sandbox) for sandbox in self._sandboxes]

    def __len__(self) -> int:
        return len(self._sandboxes)

    @property
    def controlled(self) -> bool:
        """Whether time and faults can be controlled."""
        return self._sandboxes[0].control is not None

    @property
    def can_restart(self) -> bool:
        """Whether the server can be restarted."""
        return self._campaign.plan.restart is not None

    def model(self, world: int) -> WorldModel:
        """Returns the model of one world."""
        return self._sandboxes[world].model

    def new_values(self) -> Values:
        """Returns the placeholder values for one request."""
        return self._campaign.run.new_values()

    def send(self, world: int, send: RequestTemplate, values: Values) -> str | None:
        """Sends one request; returns the token of a new session. Raises ContractViolation."""
        exchange, _ = self._call(self._checkers[world].send, LAYER, send, values)
        layout = self._campaign.run.target.layout
        token = layout.find(exchange.envelope, "/session/token")
        return token if isinstance(token, str) else None

    def race(self, world: int, send: RequestTemplate, values: Values, times: int) -> None:
        """Sends one request several times at once. Raises ContractViolation."""
        self._call(self._checkers[world].race, LAYER, send, values, times)

    def arrange(self, world: int, state: str, values: Values) -> Mapping[str, Any] | None:
        """Arranges a state; returns its values, or None if the target cannot reach it."""
        checker: Checker = self._checkers[world]

        async def arrange() -> Mapping[str, Any] | None:
            try:
                await checker.arranger.arrange(state, values, checker.register(LAYER, values))
            except (NotArranged, ArrangementFailed):
                return None
            return values.snapshot()

        arranged: Mapping[str, Any] | None = self._call(arrange)
        return arranged

    def advance(self, world: int, step: timedelta) -> None:
        """Advances the clock of one world."""
        if step:
            duration = f"PT{int(step.total_seconds())}S"
            self._control(world, "/clock", {"advance": duration, "frozen": True})

    def set_faults(self, world: int, faults: Mapping[str, Any]) -> None:
        """Sets the faults of one world."""
        self._control(world, "/faults", faults)

    def restart(self) -> None:
        """Restarts the server, and sets the clocks, which a restart loses."""
        assert self._campaign.plan.restart is not None, "see can_restart"
        self._campaign.plan.restart()
        self._set_clocks()

    def close(self) -> None:
        """Deletes the worlds."""
        self._stack.close()

    def _set_clocks(self) -> None:
        for world, sandbox in enumerate(self._sandboxes):
            now = (START + sandbox.model.now).isoformat()
            self._control(world, "/clock", {"now": now, "frozen": True})

    def _control(self, world: int, path: str, body: Mapping[str, Any]) -> None:
        control = self._sandboxes[world].control
        if control is not None:
            self._call(control.call, "PUT", path, body)

    def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._campaign.call(function, *args)


class KnownPerson(NamedTuple):
    """A user of an earlier step. `token` is that of a session of theirs."""

    world: int
    email: str
    password: str | None
    token: str | None


class Sequences(RuleBasedStateMachine):
    """Registers, repeats, proves, waits and breaks, in one world and in the other."""

    watch: AbstractContextManager[Any] = nullcontext()

    def __init__(self, worlds: SequenceWorlds) -> None:
        super().__init__()
        self.worlds = worlds
        self.trail: list[str] = []
        self.restarts = 0
        self.people: list[KnownPerson] = []
        self.tokens: list[tuple[int, str]] = []

    @rule(world=WORLDS, state=st.sampled_from(STATES), use=st.sampled_from(USES))
    def arrange(self, world: int, state: str, use: str) -> None:
        """Creates a persona, perhaps with a session, and uses that."""
        world %= len(self.worlds)
        values = self.worlds.arrange(world, state, self.worlds.new_values())
        if values is None:
            return
        self.worlds.model(world).arrange(state, values)
        self.trail.append(f"in world {world}: {state}")
        token = values.get("token")
        if "user.email" in values:
            password = values.get("user.password")
            self.people.append(KnownPerson(world, values["user.email"], password, token))
        if token is not None:
            self.tokens.append((world, token))
            self._use(world, token, use)

    @rule(world=WORLDS, view=st.sampled_from([None, "client_read"]))
    def register(self, world: int, view: str | None) -> None:
        """Registers a new client."""
        self._send(world % len(self.worlds), {} if view is None else {"view": view})

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
        """Registers a known address in some spelling, with some proof, here or elsewhere."""
        person = data.draw(st.sampled_from(self.people))
        changes: dict[str, Any] = {"client.email": spelling(person.email)}
        if proof == "password" and person.password is not None:
            changes["client.password"] = person.password
        if proof == "token" and person.token is not None:
            changes["token"] = person.token
        if proof == "another's token" and self.tokens:
            changes["token"] = data.draw(st.sampled_from(self.tokens))[1]
        self._send((person.world + elsewhere) % len(self.worlds), changes)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), elsewhere=st.booleans(), use=st.sampled_from(USES))
    def use_token(self, data: Any, elsewhere: bool, use: str) -> None:
        """Uses a token, with a valid registration or a refused one, here or elsewhere."""
        world, token = data.draw(st.sampled_from(self.tokens))
        self._use((world + elsewhere) % len(self.worlds), token, use)

    @precondition(lambda self: self.worlds.controlled)
    @rule(world=WORLDS, step=st.sampled_from(CLOCK_STEPS))
    def wait(self, world: int, step: timedelta) -> None:
        """Advances the clock of one world."""
        self._wait(world % len(self.worlds), step)

    @precondition(lambda self: self.worlds.controlled and self.tokens)
    @rule(data=st.data(), past=st.sampled_from([-SECOND, timedelta(), SECOND]), old=st.booleans())
    def wait_for_a_limit(self, data: Any, past: timedelta, old: bool) -> None:
        """Advances to a limit of a session, give or take a second, and then uses it.

        To reach the age limit (`old`), it is used in between, so that it does not idle.
        """
        world, token = data.draw(st.sampled_from(self.tokens))
        model = self.worlds.model(world)
        session = model.sessions.get(token)
        if session is None:
            return
        end = session.created + MAX_AGE if old else session.used + MAX_IDLE
        while old and end + past - model.now > MAX_IDLE:
            self._wait(world, MAX_IDLE)
            self._use(world, token, "refused")
        self._wait(world, max(end + past - model.now, timedelta()))
        self._use(world, token, "right")

    @precondition(lambda self: self.worlds.controlled)
    @rule(
        world=WORLDS,
        broken=st.none() | st.sampled_from(sorted(FAULTS)),
        mails=st.integers(0, 2),
    )
    def set_faults(self, world: int, broken: str | None, mails: int) -> None:
        """Breaks one world, or repairs it."""
        world %= len(self.worlds)
        faults = {**(FAULTS[broken] if broken else {}), "mail_failures": mails}
        self.worlds.set_faults(world, faults)
        model = self.worlds.model(world)
        model.broken = {broken} if broken else set()
        model.mail_failures = mails
        self.trail.append(f"in world {world}: {faults}")

    @precondition(lambda self: self.worlds.can_restart and self.restarts < MAX_RESTARTS)
    @rule()
    def restart(self) -> None:
        """Restarts the server; users, sessions and mails stay."""
        self.worlds.restart()
        self.restarts += 1
        for world in range(len(self.worlds)):
            model = self.worlds.model(world)
            model.broken = set()
            model.mail_failures = 0
        self.trail.append("the server restarts")

    @rule(world=WORLDS, others=st.integers(1, 3))
    def race(self, world: int, others: int) -> None:
        """Registers a new address several times at once."""
        world %= len(self.worlds)
        values = self.worlds.new_values()
        self.trail.append(f"in world {world}: {others + 1} registrations of one address at once")
        with self.watch:
            self._run_step(lambda: self.worlds.race(world, RequestTemplate(), values, others + 1))
        email, password = values.get("email"), values.get("password")
        self.people.append(KnownPerson(world, email, password, None))

    def _use(self, world: int, token: str, use: str) -> None:
        refused = {"token": token, "view": "${unique}"}
        for _ in range(2 if use == "twice" else 1):
            self._send(world, {"token": token} if use == "right" else refused)

    def _wait(self, world: int, step: timedelta) -> None:
        self.worlds.advance(world, step)
        self.worlds.model(world).now += step
        self.trail.append(f"in world {world}: {step} pass")

    def _send(self, world: int, changes: Mapping[str, Any]) -> None:
        values = self.worlds.new_values()
        filled = values.fill(changes)
        shown = self._redact(filled) or "nothing unusual"
        self.trail.append(f"in world {world}: register with {shown}")
        send = RequestTemplate(set=_hide_secrets(changes, values))
        with self.watch:
            token = self._run_step(lambda: self.worlds.send(world, send, values))
        if token is not None:
            self.tokens.append((world, token))
        email = str(filled.get("client.email", values.get("email"))).strip()
        self.people.append(KnownPerson(world, email, values.get("password"), token))

    def _redact(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Returns `changes` with tokens replaced by numbers, and without passwords."""
        names = {token: f"token {number}" for number, (_, token) in enumerate(self.tokens)}
        return {
            name: "their password" if name.endswith("password") else names.get(value, value)
            for name, value in changes.items()
        }

    def _run_step(self, step: Callable[[], Any]) -> Any:
        """Runs the last step of the trail; a violation gets the whole trail."""
        try:
            return step()
        except ContractViolation as violation:
            violation.about = "; ".join(self.trail)
            raise

    @override
    def teardown(self) -> None:
        self.worlds.close()


def _hide_secrets(changes: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """Replaces known tokens and passwords by placeholders, which are masked in what is shown."""
    hidden = dict(changes)
    for name, secrets in (("token", values.tokens), ("client.password", values.secrets)):
        if name in hidden:
            secrets.append(hidden[name])
            values.update({f"known.{name}": hidden[name]})
            hidden[name] = f"${{known.{name}}}"
    return hidden
