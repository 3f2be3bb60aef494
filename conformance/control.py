"""A client of our stub's control plane, which brings one world of it into a state."""

import json
import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from typing import Any
from urllib.parse import quote

from clients_register import spec
from clients_register.conformance.http_client import HttpClient, HttpRequest, NoResponse
from clients_register.conformance.response import parse_body
from clients_register.conformance.target import ProfileError

CONTROL_PATH = "/_mock"

# The control plane refuses access with one of these codes and this header.
ACCESS_DENIED = (401, 403)
ERROR_HEADER = "mock-error"

# Names of worlds that a warning lists.
MAX_NAMES = 8

# The server reads its token from the same variable.
TOKEN_VARIABLE = "CLIENTS_REGISTER_CONTROL_TOKEN"  # noqa: S105 - the name of a variable

# state -> persona, and the state of their session if they need one
PERSONAS: Mapping[str, tuple[str, str | None]] = {
    "session-live": ("client", "live"),
    "session-remembered": ("client", "remembered"),
    "session-too-old": ("client", "too-old"),
    "session-unused": ("client", "unused"),
    "session-roleless": ("roleless", "live"),
    "liaison": ("liaison", None),
    "session-roleless-remembered": ("roleless", "remembered"),
    "liaison-session": ("liaison", "live"),
    "liaison-session-remembered": ("liaison", "remembered"),
    "liaison-without-password": ("liaison-without-password", "live"),
    "employee-session": ("employee", "live"),
    "roleless": ("roleless", None),
}

# state -> faults to set
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "service-undeployed": {"service_deployed": False},
    "route-undeployed": {"route_deployed": False},
    "crash-before-routing": {"crash": "before-routing"},
    "crash-in-handler": {"crash": "in-handler"},
    "mail-failing": {"mail_failures": 1},
}


class ControlError(Exception):
    """The control plane refused or did not respond; the message says what was asked."""


class ControlDenied(ControlError):
    """The control plane of a stub refuses access; the message says what it requires."""


def control_token() -> str | None:
    """Returns the token of the control plane, if the environment has one. Raises ProfileError."""
    token = os.environ.get(TOKEN_VARIABLE)
    if token and not (token.isascii() and token.isprintable()):
        raise ProfileError(
            f"{TOKEN_VARIABLE}: expected the token of the stub in printable ASCII, found others"
        )
    return token or None


@dataclass(frozen=True)
class FoundRecords:
    """The records of an address in any letter case.

    `addresses` are those of the records, as they are written; None if they are unknown.
    """

    count: int
    addresses: tuple[str, ...] | None = None


class ControlClient:
    """The control plane of one world. All methods raise ControlError."""

    def __init__(self, client: HttpClient, world: str | None, token: str | None = None) -> None:
        """`world` is its name; None is the default world."""
        self._client = client
        self._token = token
        self._faults: dict[str, Any] = {}
        self.prefix = "" if world is None else f"/_world/{world}"

    async def arrange(self, state: str) -> dict[str, Any]:
        """Brings the world into `state`, and returns placeholder values."""
        if state in FAULTS:
            # A PUT replaces all faults, and a case may need several.
            self._faults |= FAULTS[state]
            await self.call("PUT", "/faults", self._faults)
        elif state == "clock":
            await self.call("PUT", "/clock", {"frozen": True})
        elif state == "application-token":
            return {"token": _application_token()}
        elif state in PERSONAS:
            return await self._create_persona(*PERSONAS[state])
        return {}

    async def advance(self, duration: str) -> None:
        """Advances the frozen clock of the world by an ISO 8601 duration."""
        await self.call("PUT", "/clock", {"advance": duration, "frozen": True})

    async def restore(self, states: tuple[str, ...]) -> None:
        """Undoes those of `states` that outlive a case."""
        if "clock" in states:
            await self.call("DELETE", "/clock")
        if any(state in FAULTS for state in states):
            self._faults.clear()
            await self.call("DELETE", "/faults")

    async def find_clients(self, email: str) -> FoundRecords:
        """Finds the clients with this address."""
        path = f"/clients?email={quote(email, safe='')}"
        found = await self.call("GET", path)
        with _expected_shape("GET", path):
            clients = (each["client"] for each in found)
            return _found([each["email"] for each in clients if each is not None])

    async def find_mails(
        self, email: str, request_ids: Collection[str] | None = None
    ) -> FoundRecords:
        """Finds the mails sent to this address, by requests with these ids."""
        path = f"/outbox?to={quote(email, safe='')}"
        found = await self.call("GET", path)
        with _expected_shape("GET", path):
            return _found(
                [
                    each["to"]
                    for each in found
                    # Personas have the same addresses in all cases.
                    if request_ids is None or each["request_id"] in request_ids
                ]
            )

    async def last_used_at(self, token: str) -> str:
        """Returns the time at which the session of `token` was last used."""
        path = f"/sessions/{quote(token, safe='')}"
        found = await self.call("GET", path)
        with _expected_shape("GET", path):
            (session,) = found
            return str(session["last_used_at"])

    async def delete_world(self, name: str) -> None:
        """Deletes a world if it exists."""
        worlds = await self.call("GET", "/worlds")
        with _expected_shape("GET", "/worlds"):
            exists = any(each["name"] == name for each in worlds)
        if exists:
            await self.call("DELETE", f"/worlds/{name}")

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """Sends a request to the control plane and returns its JSON, if any."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        content = b"" if body is None else json.dumps(body).encode()
        target = f"{self.prefix}{CONTROL_PATH}{path}"
        request = HttpRequest(method, target, tuple(headers.items()), content)
        try:
            response = await self._client.send(request)
        except NoResponse as failure:
            raise ControlError(f"{method} {target}: {failure}") from None
        received = parse_body(response)
        if response.code not in (200, 204):
            excerpt = received.text
            if response.code in ACCESS_DENIED and response.header(ERROR_HEADER) is not None:
                raise ControlDenied(_problem_detail(received.document) or excerpt)
            raise ControlError(f"{method} {target}: expected 200, found {response.code}: {excerpt}")
        if not response.body:
            return None
        if received.unreadable is not None:
            raise ControlError(f"{method} {target}: expected JSON, found {received.unreadable}")
        return received.document

    async def _create_persona(self, persona: str, session: str | None) -> dict[str, Any]:
        path = f"/clients/{persona}"
        created = await self.call("PUT", path)
        with _expected_shape("PUT", path):
            (person,) = created
            values = {"user.email": person["email"]}
            if person["password"] is not None:
                values["user.password"] = person["password"]
        if session is not None:
            values["token"] = secrets.token_urlsafe(24)
            body = {"email": person["email"], "state": session}
            await self.call("PUT", f"/sessions/{values['token']}", body)
        return values


def _found(addresses: list[str]) -> FoundRecords:
    return FoundRecords(len(addresses), tuple(addresses))


def describe_leftovers(worlds: Mapping[str, str]) -> list[str]:
    """Returns a warning about worlds that could not be deleted, given as name to reason.

    Returns nothing if there are none.
    """
    if not worlds:
        return []
    names = ", ".join(islice(worlds, MAX_NAMES))
    more = f" and {len(worlds) - MAX_NAMES} more" if len(worlds) > MAX_NAMES else ""
    return [
        f"worlds that may be left on the stub: {names}{more} ({next(iter(worlds.values()))});"
        f" delete each with DELETE {CONTROL_PATH}/worlds/NAME"
    ]


@contextmanager
def _expected_shape(method: str, path: str) -> Iterator[None]:
    """Raises ControlError if a response is JSON of another shape than documented."""
    try:
        yield
    except (ValueError, LookupError, TypeError) as error:
        raise ControlError(
            f"{method} {CONTROL_PATH}{path}: expected a response of the stub's control plane, found"
            f" another ({type(error).__name__})"
        ) from None


def _problem_detail(document: Any) -> str | None:
    """Returns the detail of problem details (RFC 9457); None if `document` is something else."""
    match document:
        case {"detail": str(detail)}:
            return detail
    return None


def _application_token() -> str:
    seeded = spec.parse((files("clients_register.fixtures") / "personas.yaml").read_text("utf-8"))
    return str(seeded["application_tokens"][0]["token"])
