"""One request and its response, between a connection and an ASGI application."""

import asyncio
from http import HTTPStatus
from typing import Protocol

from starlette.types import Message, Scope

from clients_register.handlers.http.parser import Header, Refusal

# How much of a body is held before reading pauses, in bytes.
MAX_UNREAD = 64 * 1024

# How much is written before the client has to read, in bytes.
MAX_WRITTEN = 64 * 1024

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {
    code: f"HTTP/1.1 {code} {_PHRASES.get(code, '')}\r\n".encode() for code in range(100, 1000)
}

# Responses without a body.
_BODILESS = frozenset({204, 304})


class Channel(Protocol):
    """The part of a connection that a cycle uses."""

    @property
    def default_headers(self) -> list[Header]:
        """The headers of every response that has no `Date` of its own."""

    def write(self, content: bytes) -> None:
        """Sends `content`, now or when the client has read what precedes it."""

    async def drain(self) -> None:
        """Waits until the client has read most of what was sent."""

    def pause_reading(self) -> None:
        """Stops reading, so that the client has to wait."""

    def resume_reading(self) -> None:
        """Continues to read."""

    def finish(self, cycle: "RequestCycle") -> None:
        """Continues with the next request after the response to `cycle` was sent."""


class RequestCycle:
    """One request and its response, in terms of ASGI."""

    def __init__(
        self, channel: Channel, scope: Scope, *, keep_alive: bool, expects_continue: bool
    ) -> None:
        self.scope = scope
        self.keep_alive = keep_alive
        # Calls the application.
        self.task: asyncio.Task[None]
        # Whether the whole request has arrived.
        self.complete = False
        # Whether a part of the response was sent, and whether nothing more can be sent.
        self.started = self.ended = False
        self._channel = channel
        self._expects_continue = expects_continue
        self._body = bytearray()
        self._delivered = False
        self._waiter: asyncio.Future[None] | None = None
        self._start: Message | None = None
        # How the body is delimited: by its length, by chunks, or by the end of the connection.
        self._remaining: int | None = None
        self._is_chunked = False
        self._is_bodiless = False

    @property
    def ends_with_connection(self) -> bool:
        """Whether a response was begun whose body is as long as the connection lasts."""
        is_delimited = self._is_chunked or self._is_bodiless or self._remaining is not None
        return self.started and not is_delimited

    @property
    def is_full(self) -> bool:
        """Whether the application has to take some of the body before more is read."""
        return len(self._body) > MAX_UNREAD

    def feed(self, body: bytes) -> None:
        """Adds a part of the body that has arrived."""
        self._body += body
        if self.is_full:
            self._channel.pause_reading()
        self._wake()

    def complete_request(self) -> None:
        """Notes that the whole request has arrived."""
        self.complete = True
        self._wake()

    def end(self) -> None:
        """Notes that nothing more can be sent."""
        self.ended = True
        self._wake()

    async def receive(self) -> Message:
        """Receives as ASGI defines. A complete request is received even if its client has gone."""
        while not self._body and (self._delivered or not self.complete):
            if self.ended:
                return {"type": "http.disconnect"}
            if self._expects_continue and not self.complete:
                self._expects_continue = False
                self._channel.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._channel.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._delivered = self.complete
        body = bytes(self._body)
        self._body.clear()
        return {"type": "http.request", "body": body, "more_body": not self.complete}

    async def send(self, message: Message) -> None:
        """Sends as ASGI defines. The head is sent together with the first part of the body."""
        if self.ended:
            return
        if message["type"] == "http.response.start":
            if self.started:
                raise RuntimeError(
                    "a second response was started while the first one was being sent"
                )
            # It may replace one that was never sent, because the application crashed.
            self._start = message
            return
        body: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        start, self._start = self._start, None
        head = b"" if start is None else self._serialize_head(start, body, more=more)
        content = head + self._serialize_body(body, more=more)
        self.started = True
        while len(content) > MAX_WRITTEN:
            self._channel.write(content[:MAX_WRITTEN])
            content = content[MAX_WRITTEN:]
            await self._channel.drain()
            if self.ended:
                return
        self._channel.write(content)
        if more:
            await self._channel.drain()
        elif not self.ended:
            self.end()
            self._channel.finish(self)

    def _serialize_head(self, start: Message, body: bytes, *, more: bool) -> bytes:
        """Serializes status and headers, and determines how the body is delimited."""
        headers = [*start.get("headers", ())]
        length = connection = date = None
        for name, value in headers:
            if name == b"content-length":
                length = value
            elif name == b"connection":
                connection = value
            elif name == b"date":
                date = value
        if date is None:
            headers = [*self._channel.default_headers, *headers]
        self._is_bodiless = self.scope["method"] == "HEAD" or start["status"] in _BODILESS
        if length is not None:
            self._remaining = int(length)
        elif not more and not self._is_bodiless:
            self._remaining = len(body)
            headers.append((b"content-length", b"%d" % len(body)))
        elif not self._is_bodiless:
            self._is_chunked = self.scope["http_version"] == "1.1"
            if self._is_chunked:
                headers.append((b"transfer-encoding", b"chunked"))
        if connection is not None:
            self.keep_alive = self.keep_alive and connection.lower() != b"close"
        elif not (self.keep_alive and self.complete):
            headers.append((b"connection", b"close"))
        return serialize_head(start["status"], headers)

    def _serialize_body(self, body: bytes, *, more: bool) -> bytes:
        if self._is_bodiless:
            return b""
        if self._is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk if more else chunk + b"0\r\n\r\n"
        if self._remaining is not None:
            self._remaining -= len(body)
            if self._remaining < 0 or (self._remaining and not more):
                raise RuntimeError(
                    "the body of the response does not have the length that its header states"
                )
        return body

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def serialize_head(code: int, headers: list[Header]) -> bytes:
    """Serializes the head of a response. Raises RuntimeError for a line break in a header."""
    lines = b"\r\n".join(map(b": ".join, headers))
    breaks = len(headers) - 1
    if lines.count(b"\n") != breaks or lines.count(b"\r") != breaks:
        raise RuntimeError("a header of the response contains a line break")
    return b"".join((_STATUS_LINES[code], lines, b"\r\n\r\n"))


def serialize_refusal(refusal: Refusal, default_headers: list[Header]) -> bytes:
    """Serializes the last response of a connection."""
    body = f"{refusal}\n".encode()
    headers = [
        *default_headers,
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    return serialize_head(refusal.code, headers) + body
