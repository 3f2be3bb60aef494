"""The control plane of our own stub, as the suite uses it: one world, and states in it."""

import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from clients_register import spec
from clients_register.conformance.wire import NoAnswer, Request, Wire

PLANE = "/_mock"

# How a control plane that is ours says that it is closed.
CLOSED = (401, 403)
MARK = "mock-error"

# Whoever has this in the environment of the server has it in that of the suite, too.
TOKEN_VARIABLE = "CLIENTS_REGISTER_CONTROL_TOKEN"  # noqa: S105 - the name of one

# state -> persona, and state of a session of theirs where one is needed
PEOPLE: dict[str, tuple[str, str | None]] = {
    "session-live": ("client", "live"),
    "session-remembered": ("client", "remembered"),
    "session-too-old": ("client", "too-old"),
    "session-unused": ("client", "unused"),
    "session-roleless": ("roleless", "live"),
    "liaison": ("liaison", None),
    "liaison-session": ("liaison", "live"),
    "liaison-without-password": ("liaison-without-password", "live"),
    "employee-session": ("employee", "live"),
    "roleless": ("roleless", None),
}

FAULTS: dict[str, Mapping[str, Any]] = {
    "service-undeployed": {"service_deployed": False},
    "route-undeployed": {"route_deployed": False},
    "crash-before-routing": {"crash": "before-routing"},
    "crash-in-handler": {"crash": "in-handler"},
    "mail-failing": {"mail_failures": 1},
}


class ControlFailed(Exception):
    """The control plane refused, or did not answer; the message says what was asked."""


class NotAdmitted(ControlFailed):
    """The control plane is our stub's, and closed to us; the message says what it wants."""


class Control:
    """The control plane of one world."""

    def __init__(self, wire: Wire, world: str | None, token: str | None = None) -> None:
        """`world` is its name; None is the default world."""
        self._wire = wire
        self._token = token
        self._faults: dict[str, Any] = {}
        self.prefix = "" if world is None else f"/_world/{world}"

    async def arrange(self, state: str) -> dict[str, Any]:
        """Brings the world into `state`; returns the values that it gives."""
        if state in FAULTS:
            # What is left out of a PUT is whole again, and a case may need several faults.
            self._faults |= FAULTS[state]
            await self.call("PUT", "/faults", self._faults)
        elif state == "clock":
            await self.call("PUT", "/clock", {"frozen": True})
        elif state == "application-token":
            return {"token": _application_token()}
        elif state in PEOPLE:
            return await self._person(*PEOPLE[state])
        return {}

    async def advance(self, duration: str) -> None:
        """Lets time pass in the world."""
        await self.call("PUT", "/clock", {"advance": duration, "frozen": True})

    async def restore(self, states: tuple[str, ...]) -> None:
        """Undoes those of `states` that outlive a case."""
        if "clock" in states:
            await self.call("DELETE", "/clock")
        if any(state in FAULTS for state in states):
            self._faults.clear()
            await self.call("DELETE", "/faults")

    async def stored(self, email: str) -> bool:
        """Whether a client has that address."""
        found = await self.call("GET", f"/clients?email={quote(email, safe='')}")
        return any(each["client"] is not None for each in found)

    async def mailed(self, email: str) -> int:
        """How many mails went to that address."""
        return len(await self.call("GET", f"/outbox?to={quote(email, safe='')}"))

    async def delete_world(self, name: str) -> None:
        """Forgets a world, if there is one of that name."""
        if any(each["name"] == name for each in await self.call("GET", "/worlds")):
            await self.call("DELETE", f"/worlds/{name}")

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """Asks the control plane; returns its JSON. Raises ControlFailed."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        content = b"" if body is None else json.dumps(body).encode()
        target = f"{self.prefix}{PLANE}{path}"
        try:
            answer = await self._wire.send(Request(method, target, tuple(headers.items()), content))
        except NoAnswer as failure:
            raise ControlFailed(f"{method} {target}: {failure}") from None
        if answer.code not in (200, 204):
            said = answer.body.decode("utf-8", "replace")[:500]
            if answer.code in CLOSED and any(name.lower() == MARK for name, _ in answer.headers):
                raise NotAdmitted(_detail(answer.body) or said)
            raise ControlFailed(f"{method} {target}: expected 200, found {answer.code}: {said}")
        if not answer.body:
            return None
        try:
            return json.loads(answer.body)
        except ValueError as error:
            raise ControlFailed(f"{method} {target}: expected JSON, found {error}") from None

    async def _person(self, persona: str, session: str | None) -> dict[str, Any]:
        (person,) = await self.call("PUT", f"/clients/{persona}")
        given = {"user.email": person["email"]}
        if person["password"] is not None:
            given["user.password"] = person["password"]
        if session is not None:
            given["token"] = secrets.token_urlsafe(24)
            asked = {"email": person["email"], "state": session}
            await self.call("PUT", f"/sessions/{given['token']}", asked)
        return given


def _detail(problem: bytes) -> str | None:
    """The detail of a problem (RFC 9457); None if `problem` is not one."""
    with suppress(ValueError):
        match json.loads(problem):
            case {"detail": str(detail)}:
                return detail
    return None


def _application_token() -> str:
    seeded = spec.parse((files("clients_register.fixtures") / "personas.yaml").read_text("utf-8"))
    return str(seeded["application_tokens"][0]["token"])
