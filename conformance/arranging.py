"""How a state that a case needs is reached on a target: by which way, and what it gives."""

import secrets
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from clients_register.conformance.composing import Values
from clients_register.conformance.control import Control
from clients_register.conformance.hook import Hook, StateUnknown
from clients_register.conformance.target import BY_API, Target


class NotArranged(Exception):
    """The target has no way to a state; the message says which."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(f"{state}: {reason}")
        self.state = state


class ArrangementFailed(Exception):
    """A way that was promised did not lead to the state; the message says what happened."""


class Registering(Protocol):
    """Registers a fresh client through the route, for arrangements."""

    async def __call__(self, email: str, password: str) -> Mapping[str, Any]:
        """Returns the values `token`, where the answer held one. Raises ArrangementFailed."""
        ...


def way(target: Target, state: str) -> Any:
    """How a target reaches `state`: control, api, hook, unavailable or {preset: values}."""
    if state in target.arrange:
        return target.arrange[state]
    if state == "client":
        return "api"
    if target.control:
        return "control"
    if target.hook is not None and state != "stub":
        return "hook"
    return "api" if state in BY_API else "unavailable"


class Arranger:
    """Reaches states on one target, or on one world of it."""

    def __init__(self, target: Target, control: Control | None, hook: Hook | None) -> None:
        self._target = target
        self._control = control
        self._hook = hook

    async def reach(self, state: str, values: Values, register: Registering) -> None:
        """Arranges `state` and keeps what it gives. Raises NotArranged, ArrangementFailed."""
        chosen = way(self._target, state)
        if chosen == "unavailable":
            raise NotArranged(state, "the target has no way to it")
        if chosen == "api":
            given = await self._by_api(state, values, register)
        elif chosen == "control":
            assert self._control is not None, "the target says that there is one"
            given = await self._control.arrange(state)
        elif chosen == "hook":
            assert self._hook is not None, "the target says that there is one"
            given = await self._known(state, self._hook.arrange(state))
        else:
            given = chosen["preset"]
        for name in ("user.password", "client.password"):
            if name in given:
                values.secrets.append(str(given[name]))
        if "token" in given:
            values.tokens.append(str(given["token"]))
        values.keep(given)

    async def advance(self, duration: str) -> None:
        """Lets time pass, once the state `clock` was reached."""
        chosen = way(self._target, "clock")
        if self._control is not None and chosen == "control":
            await self._control.advance(duration)
        elif self._hook is not None and chosen == "hook":
            await self._known("clock", self._hook.advance(duration))
        else:
            raise NotArranged("clock", "the target's time cannot be moved")

    async def restore(self, states: tuple[str, ...]) -> None:
        """Undoes what outlives a case."""
        if self._control is not None:
            await self._control.restore(states)
        elif self._hook is not None:
            await self._hook.restore(states)

    async def stored(self, email: str) -> bool | None:
        """Whether a client has that address; None where the target cannot tell."""
        observer = self._observer("stored")
        return None if observer is None else await observer.stored(email)

    async def mailed(self, email: str) -> int | None:
        """How many mails went to that address; None where the target cannot tell."""
        observer = self._observer("mailed")
        return None if observer is None else await observer.mailed(email)

    async def _known(self, state: str, asked: Awaitable[Any]) -> Any:
        try:
            return await asked
        except StateUnknown:
            raise NotArranged(state, "the target's hook does not know it") from None

    def _observer(self, what: str) -> Control | Hook | None:
        usual = "control" if self._control else "hook" if self._hook else "none"
        told_by = self._target.observe.get(what, usual)
        return {"control": self._control, "hook": self._hook}.get(told_by)

    async def _by_api(self, state: str, values: Values, register: Registering) -> dict[str, Any]:
        email, password = values.fresh_email(), secrets.token_urlsafe(18)
        values.secrets.append(password)
        given = await register(email, password)
        if state == "client":
            return {"client.email": email, "client.password": password}
        if "token" not in given:
            raise NotArranged(state, "a registration is answered without a session's token")
        return {"user.email": email, "user.password": password, "token": given["token"]}
