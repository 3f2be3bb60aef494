"""Faults: states of a world that make statuses occur naturally, and broken connections."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override

from clients_register.handlers.context import Services
from clients_register.handlers.http.connection import CONNECTION, Connection
from clients_register.handlers.http.transport import reset
from clients_register.handlers.logs import RequestedCrash
from clients_register.handlers.mail import MailFailed, Transport
from clients_register.handlers.models import Mail
from clients_register.handlers.store.base import PendingRegistration

BEFORE_ROUTING, IN_HANDLER = "before-routing", "in-handler"

# States of golden exchanges, as faults. Personas are always there; other states are settings of the
# server.
STATE_FAULTS: dict[str, dict[str, Any]] = {
    "personas": {},
    "service-not-deployed": {"service_deployed": False},
    "route-not-deployed": {"route_deployed": False},
    "crash-before-routing": {"crash": BEFORE_ROUTING},
    "crash-in-handler": {"crash": IN_HANDLER},
    "mail-failing": {"mail_failures": 1},
}

# Delay between two bytes of a `slow` response, in seconds.
SLOW_DELAY = 0.02


@dataclass(slots=True)
class Faults:
    """The faults of a world. `mail_failures` is the number of mails that will still fail."""

    service_deployed: bool = True
    route_deployed: bool = True
    crash: str | None = None
    mail_failures: int = 0

    @property
    def are_set(self) -> bool:
        """Whether there is any."""
        return self != Faults()

    def set(self, **values: Any) -> None:
        """Sets all faults; those left out are reset."""
        for name, value in asdict(Faults(**values)).items():
            setattr(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Returns the faults as a JSON value."""
        return asdict(self)

    def apply(self, services: Services) -> Services:
        """Returns `services` without the records that are not deployed."""
        if self.service_deployed and self.route_deployed:
            return services
        deployed: dict[str, frozenset[str]] = {}
        if self.service_deployed:
            deployed = dict.fromkeys(services.registry.services, frozenset())
        return replace(services, registry=replace(services.registry, services=deployed))


def faults_for_states(states: Sequence[str]) -> dict[str, Any] | None:
    """Returns the faults that put a world into all `states`; None if faults cannot do that."""
    if not all(state in STATE_FAULTS for state in states):
        return None
    faults: dict[str, Any] = {}
    for state in states:
        faults |= STATE_FAULTS[state]
    return faults


class FaultyTransport(Transport):
    """A mail transport with the faults of a world.

    The mail is sent once all rules have passed and before the client is stored, so this is also
    where a crash in the handler is injected.
    """

    def __init__(self, transport: Transport, faults: Faults) -> None:
        self._transport = transport
        self._faults = faults

    @override
    async def send(self, mail: Mail, pending: PendingRegistration) -> None:
        if self._faults.crash == IN_HANDLER:
            raise RequestedCrash("requested by the faults of the world")
        if self._faults.mail_failures > 0:
            self._faults.mail_failures -= 1
            raise MailFailed("a failure of the mail was requested")
        await self._transport.send(mail, pending)


class BrokenConnection:
    """Delivers a response over a connection that breaks. ASGI alone cannot do this."""

    def __init__(
        self, fault: str, response: Sequence[Message], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """`response` consists of one start and one body."""
        self._deliver = CONNECTION_FAULTS[fault]
        self._connection: Connection = scope["extensions"][CONNECTION]
        self._transport = self._connection.transport
        self._receive = receive
        self._send = send
        self._start, body = response
        self._body: bytes = body["body"]

    async def deliver(self) -> None:
        """Sends as much of the response as the fault lets through."""
        await self._deliver(self)

    async def reset(self) -> None:
        """Resets the connection, unless the client has done so."""
        reset(self._transport)
        await self._wait_for_disconnect()

    async def empty(self) -> None:
        """Closes the connection without sending a byte."""
        self._connection.close()
        await self._wait_for_disconnect()

    async def truncated(self) -> None:
        """Closes the connection in the middle of the body."""
        await self._send(self._start)
        half = self._body[: len(self._body) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})
        self._connection.close()
        await self._wait_for_disconnect()

    async def malformed(self) -> None:
        """Sends a complete response whose body is not JSON."""
        body = self._body[:-1]
        headers = [
            (name, str(len(body)).encode() if name == b"content-length" else value)
            for name, value in self._start["headers"]
        ]
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def slow(self) -> None:
        """Sends the body byte by byte, for as long as the caller stays connected."""
        await self._send(self._start)
        for byte in self._body:
            if self._transport.is_closing():
                return
            await self._send(
                {"type": "http.response.body", "body": bytes([byte]), "more_body": True}
            )
            await pause()
        await self._send({"type": "http.response.body", "body": b""})

    async def _wait_for_disconnect(self) -> None:
        # An application that returns without a response has its connection closed at once.
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def pause() -> None:
    """Waits between two bytes of a `slow` response."""
    await asyncio.sleep(SLOW_DELAY)


CONNECTION_FAULTS: dict[str, Callable[[BrokenConnection], Awaitable[None]]] = {
    "reset": BrokenConnection.reset,
    "empty": BrokenConnection.empty,
    "truncated": BrokenConnection.truncated,
    "malformed": BrokenConnection.malformed,
    "slow": BrokenConnection.slow,
}
