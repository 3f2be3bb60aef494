"""uvicorn's HTTP protocol, sending each response in a single write.

uvicorn writes the header section before it receives the body, and checks each header with two
regular expressions. Here the header waits for the body, as ASGI allows, and is checked as a whole.
That saves 3 to 8 of about 21 microseconds per response with eight headers.

This relies on attributes that uvicorn does not document. `check_buffering` tries it when a server
starts, and turns it off if the installed release of uvicorn is different.
"""

import asyncio
import logging
from typing import Any, ClassVar

import uvicorn
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

log = logging.getLogger(__name__)

# The key of the ASGI extension with the transport of the connection.
TRANSPORT = "clients_register.transport"


class BufferedCycle(RequestResponseCycle):
    """One request and its response. Anything but a simple response is left to uvicorn."""

    _start: Message | None = None

    @override
    async def send(self, message: Message) -> None:  # type: ignore[override]
        if message["type"] == "http.response.start" and not self.response_started:
            # A second one replaces a first that was never sent, because the application crashed.
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            if (
                message["type"] == "http.response.body"
                and not message.get("more_body", False)
                and self.keep_alive
                and not self.disconnected
                and not self.flow.write_paused
                and self.scope["method"] != "HEAD"
                and (content := self._serialize(start, message.get("body", b""))) is not None
            ):
                self.response_started = self.response_complete = True
                self.waiting_for_100_continue = False
                self.transport.write(content)
                self.message_event.set()
                self.on_response()
                return
            await super().send(start)  # type: ignore[arg-type]
        await super().send(message)  # type: ignore[arg-type]

    def _serialize(self, start: Message, body: bytes) -> bytes | None:
        """Serializes a response; None if it needs more than its headers and `body`."""
        headers = [*self.default_headers, *start.get("headers", ())]
        named = dict(headers)
        if named.get(b"content-length") != b"%d" % len(body):
            return None
        if b"connection" in named or b"transfer-encoding" in named:
            return None
        head = b"\r\n".join(map(b": ".join, headers))
        # No value may contain a line break, which would start another header.
        breaks = len(headers) - 1
        if head.count(b"\n") != breaks or head.count(b"\r") != breaks:
            return None
        return b"".join((STATUS_LINE[start["status"]], head, b"\r\n\r\n", body))


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    buffers: ClassVar[bool] = True

    @override
    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.buffers and self.cycle is not None:
            # uvicorn offers no way to choose the class. Nothing has been sent yet.
            self.cycle.__class__ = BufferedCycle


class ExposingHttpProtocol(HttpProtocol):
    """Exposes the transport of the connection to the application, as the extension TRANSPORT."""

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {TRANSPORT: self.transport}
        self.scope["extensions"] = extensions


async def check_buffering() -> None:
    """Turns buffering off for all connections if a response is not the one that uvicorn sends."""
    try:
        expected = await _serve_request(HttpToolsProtocol)
        works = await _serve_request(HttpProtocol) == [b"".join(expected)]
    except Exception:  # noqa: BLE001 - another release may raise anything
        works = False
    if not works:
        HttpProtocol.buffers = False
        log.warning(
            "uvicorn %s sends responses in another way than the releases this server knows, so each"
            " takes some microseconds longer; nothing else changes",
            uvicorn.__version__,
        )


async def _serve_request(protocol: type[HttpToolsProtocol]) -> list[bytes]:
    """Returns what is written in response to a request, without a network."""

    async def respond(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    config = uvicorn.Config(
        respond, access_log=False, http=protocol, lifespan="off", log_config=None, ws="none"
    )
    config.load()
    state = ServerState()
    connection = protocol(config=config, server_state=state, app_state={})
    transport = _MemoryTransport()
    connection.connection_made(transport)
    connection.data_received(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await asyncio.gather(*state.tasks)
    connection.connection_lost(None)
    return transport.written


class _MemoryTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    @override
    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    @override
    def is_closing(self) -> bool:
        return False

    @override
    def close(self) -> None:
        pass
