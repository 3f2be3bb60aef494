"""Faults of the connection that a browser really meets, which ASGI alone cannot make.

uvicorn's protocol hands its transport on in the scope, and an answer is broken there on its way.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from clients_register.handlers.protocol import Protocol

TRANSPORT = "clients_register.transport"

# Of the fault `slow`: seconds between two bytes of a body.
PACE = 0.02

# Closing with this option sends a reset instead of an orderly end: on, after 0 seconds.
_LINGER = struct.pack("ii", 1, 0)


async def pause() -> None:
    """Lets time pass between two bytes."""
    await asyncio.sleep(PACE)


class OpenProtocol(Protocol):
    """The protocol of a server, with its transport in the scope's extensions."""

    def on_message_begin(self) -> None:
        """See `Protocol`."""
        super().on_message_begin()
        extensions: dict[str, Any] = {TRANSPORT: self.transport}
        self.scope["extensions"] = extensions


class Broken:
    """An answer that breaks on its way, as `fault` says."""

    def __init__(
        self, fault: str, answer: Sequence[Message], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """`answer` is whole, of one start and one body."""
        self._deliver = FAULTS[fault]
        self._transport: asyncio.Transport = scope["extensions"][TRANSPORT]
        self._receive = receive
        self._send = send
        self._start, body = answer
        self._body: bytes = body["body"]

    async def deliver(self) -> None:
        """Sends what arrives of it."""
        await self._deliver(self)

    async def reset(self) -> None:
        """The connection ends with an error."""
        found: socket.socket = self._transport.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        self._transport.abort()
        await self._gone()

    async def empty(self) -> None:
        """The connection ends in order, without a byte."""
        self._transport.close()
        await self._gone()

    async def truncated(self) -> None:
        """The connection ends in the middle of the body."""
        await self._send(self._start)
        half = self._body[: len(self._body) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})
        self._transport.close()
        await self._gone()

    async def malformed(self) -> None:
        """The body is whole for HTTP, and no JSON."""
        body = self._body[:-1]
        headers = [
            (name, str(len(body)).encode() if name == b"content-length" else value)
            for name, value in self._start["headers"]
        ]
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def slow(self) -> None:
        """The body comes byte by byte, as long as somebody takes it."""
        await self._send(self._start)
        for byte in self._body:
            if self._transport.is_closing():
                return
            await self._send(
                {"type": "http.response.body", "body": bytes([byte]), "more_body": True}
            )
            await pause()
        await self._send({"type": "http.response.body", "body": b""})

    async def _gone(self) -> None:
        # Until then uvicorn would take the answer for one that was forgotten.
        while (await self._receive())["type"] != "http.disconnect":
            pass


FAULTS: dict[str, Callable[[Broken], Awaitable[None]]] = {
    "reset": Broken.reset,
    "empty": Broken.empty,
    "truncated": Broken.truncated,
    "malformed": Broken.malformed,
    "slow": Broken.slow,
}
