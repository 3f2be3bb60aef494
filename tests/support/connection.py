"""An HTTP connection without a network: its client, and applications behind it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from clients_register.handlers.access_log import log_refusal
from clients_register.handlers.http.connection import Connection, ConnectionConfig
from clients_register.handlers.http.deadlines import ConnectionLimits

DATE = (b"date", b"Thu, 01 Jan 2026 00:00:00 GMT")
LIMITS = ConnectionLimits(max_head=8192, receive_timeout=30, idle_timeout=75)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

App = Callable[[Scope, Receive, Send], Awaitable[None]]


def start(*headers: tuple[bytes, bytes], status: int = 400) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(content: bytes = b"hello", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


LENGTH = (b"content-length", b"5")
PLAIN = [start((b"x", b"1"), LENGTH), body()]


class MemoryTransport(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.end: str | None = None
        self.reading = True
        # Whether the next write fills the buffer.
        self.fills = False
        self.protocol: Connection

    @property
    def written(self) -> bytes:
        return b"".join(self.writes)

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))
        if self.fills:
            self.fills = False
            self.protocol.pause_writing()

    def write_eof(self) -> None:
        self.end = "half-closed"

    def is_closing(self) -> bool:
        return self.end in ("closed", "aborted")

    def close(self) -> None:
        self.end = "closed"

    def abort(self) -> None:
        self.end = "aborted"

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Client:
    """The other end of a connection to `app`."""

    def __init__(self, app: App, limits: ConnectionLimits = LIMITS) -> None:
        self._state = ServerState()
        self._state.default_headers = [DATE]
        config = ConnectionConfig(app, limits, log_refusal, lifespan="off", log_config=None)
        config.load()
        self.transport = MemoryTransport()
        self.connection = Connection(config=config, server_state=self._state, app_state={})
        self.transport.protocol = self.connection
        self.connection.connection_made(self.transport)

    async def send(self, *parts: bytes) -> None:
        """Sends `parts`, each when everything that the previous one caused has happened."""
        for part in parts:
            self.connection.data_received(part)
            await self.settle()

    async def settle(self) -> None:
        """Waits until nothing happens any more."""
        for _ in range(100):
            await asyncio.sleep(0)

    async def half_close(self) -> None:
        if not self.connection.eof_received():
            self.transport.close()
        await self.settle()

    def disconnect(self) -> None:
        self.transport.abort()
        self.connection.connection_lost(None)

    @property
    def codes(self) -> list[int]:
        """The codes of all responses."""
        return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.transport.written)]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Responds with method, target and body of the request."""
    content = b""
    while (message := await receive())["type"] == "http.request":
        content += message["body"]
        if not message["more_body"]:
            break
    else:
        return
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    content = b"%b %b%b %b" % (scope["method"].encode(), scope["raw_path"], query, content)
    await send(start((b"content-length", str(len(content)).encode()), status=200))
    await send(body(content))


def respond(*messages: Message) -> App:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


class Gate:
    """An application that begins to respond when it is opened."""

    def __init__(self) -> None:
        self._opened = asyncio.Event()
        self.calls = 0

    def open(self) -> None:
        self._opened.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        await self._opened.wait()
        await echo(scope, receive, send)
