"""A raw HTTP/1.1 client (RFC 9112): sends exact bytes, returns responses as received.

General clients tidy up requests, so they cannot send repeated headers, broken framing or exact
chunks.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from clients_register.conformance.http_parser import (
    MAX_HEAD,
    BufferedReader,
    NotHttp,
    encode_chunks,
    open_tunnel,
    read_response,
)

Headers = tuple[tuple[str, str], ...]

# The default timeout of a whole exchange, in seconds.
DEFAULT_TIMEOUT = 10.0

# Seconds to wait for connections to close.
CLOSE_TIMEOUT = 1.0

# A request of at most as many bytes is written before its response is awaited; others, and those in
# chunks, are written while it is read.
MAX_WRITTEN_AT_ONCE = 16 * 1024

# Seconds that a server has for a response to a possibly incomplete request before our side of the
# connection is closed.
HALF_CLOSE_DELAY = 0.2


@dataclass(frozen=True)
class HttpRequest:
    """One request. `target` is path and query as sent, `chunked` the size of its chunks, if any."""

    method: str
    target: str
    headers: Headers
    body: bytes
    chunked: int | None = None


def complete_headers(request: HttpRequest, authority: str) -> Headers:
    """Returns the headers of a request as sent, with those added that HTTP requires.

    `authority` is host and port.
    """
    names = {name.lower() for name, _ in request.headers}
    host = () if "host" in names else (("Host", authority),)
    framing: Headers = ()
    if request.chunked is not None and "transfer-encoding" not in names:
        framing = (("Transfer-Encoding", "chunked"),)
    if request.chunked is None and not names & {"content-length", "transfer-encoding"}:
        framing = (("Content-Length", str(len(request.body))),)
    return (*host, *request.headers, *framing)


@dataclass(frozen=True)
class HttpResponse:
    """One response. `raw_head` has its status line and headers as received.

    `framing_problems` say how its headers contradict each other about its length, and `surplus` is
    what followed it.
    """

    code: int
    headers: Headers
    body: bytes
    seconds: float
    raw_head: bytes
    framing_problems: tuple[str, ...] = ()
    surplus: bytes = b""

    def header(self, name: str) -> str | None:
        """Returns the header of that name in any letter case; several are joined by commas."""
        return ", ".join(self.values(name)) if self.values(name) else None

    def values(self, name: str) -> list[str]:
        """Returns the values of all headers of that name, in any letter case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def members(self, name: str) -> list[str]:
        """Returns the members of a list header, in lower case."""
        members = ",".join(self.values(name)).split(",")
        return [each.strip(" \t").lower() for each in members if each.strip(" \t")]


# The kinds of NoResponse.
REFUSED = "refused"
TIME_OUT = "time-out"
CLOSED = "closed"
NOT_HTTP = "not-http"


class NoResponse(Exception):
    """No response arrived; `kind` is one of the above."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass
class _Connection:
    reader: BufferedReader
    writer: asyncio.StreamWriter

    async def is_reusable(self) -> bool:
        """Checks that it is open and that nothing is left to read.

        Unread bytes would be mistaken for the next response.
        """
        try:
            return not (await self.reader.is_readable() or self.writer.is_closing())
        except BaseException:
            self.abort()
            raise

    def start_writing(
        self, pieces: Sequence[bytes], half_close_delay: float | None
    ) -> asyncio.Task[bool] | None:
        """Writes `pieces`: a single small one at once, others in a task, one after another.

        Returns None if all was written. The task returns False if the connection broke; the reader
        has the reason. With `half_close_delay`, our side of the connection is closed that many
        seconds later.
        """
        first, *others = pieces
        if half_close_delay is None and not others and len(first) <= MAX_WRITTEN_AT_ONCE:
            self.writer.write(first)
            return None
        # A server may respond and close before it has read a large body.
        return asyncio.create_task(self._write(pieces, half_close_delay))

    async def _write(self, pieces: Sequence[bytes], half_close_delay: float | None) -> bool:
        try:
            for piece in pieces:
                # Receives an early response before a write can find the connection broken.
                await asyncio.sleep(0)
                self.writer.write(piece)
                await self.writer.drain()
            if half_close_delay is not None:
                await asyncio.sleep(half_close_delay)
                self.writer.write_eof()
        except OSError:
            return False
        return True

    def abort(self) -> None:
        """Closes the connection at once and discards unsent bytes."""
        self.writer.transport.abort()


class HttpClient:
    """A client of one origin with a pool of kept-alive connections."""

    def __init__(
        self,
        origin: str,
        *,
        timeout: float | None = None,
        ssl_context: ssl.SSLContext | None = None,
        connections: int = 8,
        proxy: str | None = None,
    ) -> None:
        """`origin` is scheme, host and port; `timeout` limits a whole exchange, in seconds.

        Without an `ssl_context`, https uses the machine's trusted certificates. `proxy` is the URL
        of an HTTP proxy, which is asked for a tunnel so that it cannot alter requests.
        """
        parts = urlsplit(origin)
        secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if secure else 80)
        self._authority = parts.netloc
        via = urlsplit(proxy or "")
        self._proxy = (via.hostname, via.port or 80) if via.hostname else None
        self._ssl = (ssl_context or ssl.create_default_context()) if secure else None
        self._timeout = DEFAULT_TIMEOUT if timeout is None else timeout
        self._idle: list[_Connection] = []
        self._slots = asyncio.Semaphore(connections)

    def with_own_connections(self) -> Self:
        """Returns a client with the same limits that shares no connection with this one.

        Requests that it sends one after another use one connection while the server keeps that
        open.
        """
        other = copy(self)
        other._idle = []
        return other

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Sends `request` once; with `Connection: close`, the connection is not used again.

        Raises NoResponse; ValueError if `request` cannot be encoded.
        """
        pieces = self._encode(request)
        async with self._limited():
            connection = await self._acquire()
            closing = ("connection", "close") in {
                (name.lower(), value.lower()) for name, value in request.headers
            }
            return await self._exchange(connection, request.method, pieces, closing=closing)

    async def send_bytes(self, pieces: Sequence[bytes]) -> HttpResponse:
        """Sends bytes that may not be HTTP at all, on a connection of their own.

        Our side of the connection is closed soon after, because the server may wait for more.
        Raises NoResponse.
        """
        async with self._limited():
            connection = await self._connect()
            return await self._exchange(connection, "POST", pieces, HALF_CLOSE_DELAY, closing=True)

    async def close(self) -> None:
        """Closes all idle connections."""
        closing, self._idle = self._idle, []
        for connection in closing:
            connection.writer.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await asyncio.gather(
                    *(each.writer.wait_closed() for each in closing), return_exceptions=True
                )
        for connection in closing:
            connection.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        """Limits the number of connections and the time of an exchange."""
        async with self._slots:
            try:
                async with asyncio.timeout(self._timeout):
                    yield
            except TimeoutError:
                detail = f"no response within {self._timeout:g} seconds"
                raise NoResponse(TIME_OUT, detail) from None

    async def _exchange(
        self,
        connection: _Connection,
        method: str,
        pieces: Sequence[bytes],
        half_close_delay: float | None = None,
        *,
        closing: bool = False,
    ) -> HttpResponse:
        reader = connection.reader
        reusable = False
        started = time.perf_counter()
        writing = connection.start_writing(pieces, half_close_delay)
        try:
            head, body, keep_alive = await read_response(reader, method)
            seconds = time.perf_counter() - started
            written = writing is None or (writing.done() and writing.result())
            # Bytes that may not be HTTP may well be two requests.
            surplus = b""
            if half_close_delay is None and await reader.is_readable():
                surplus = await reader.read(MAX_HEAD)
            reusable = keep_alive and not closing and written and not surplus
        except NotHttp as error:
            raise NoResponse(NOT_HTTP, str(error)) from None
        except EOFError as error:
            why = "" if reader.broken_by is None else f" ({reader.broken_by})"
            raise NoResponse(CLOSED, f"the connection was closed: {error}{why}") from None
        finally:
            if writing is not None:
                writing.cancel()
            if reusable:
                self._idle.append(connection)
            else:
                connection.abort()
        return HttpResponse(
            head.code, head.headers, body, seconds, head.raw, head.framing_problems, surplus
        )

    async def _acquire(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if await connection.is_reusable():
                return connection
            connection.abort()
        return await self._connect()

    async def _connect(self) -> _Connection:
        try:
            return await self._open()
        except (OSError, UnicodeError, NotHttp, EOFError) as error:
            why = str(error) or type(error).__name__
            via = "" if self._proxy is None else f" through the proxy {self._proxy[0]}"
            raise NoResponse(REFUSED, f"no connection to {self._authority}{via}: {why}") from None

    async def _open(self) -> _Connection:
        """Opens a connection, through the proxy if there is one."""
        loop = asyncio.get_running_loop()
        reader = BufferedReader(MAX_HEAD, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        tunneled = self._proxy is not None
        host, port = self._proxy if self._proxy is not None else (self._host, self._port)
        transport, _ = await loop.create_connection(
            lambda: protocol, host, port, ssl=None if tunneled else self._ssl
        )
        connection = _Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
        if tunneled:
            try:
                await open_tunnel(reader, connection.writer, self._host, self._port)
                if self._ssl is not None:
                    await connection.writer.start_tls(self._ssl, server_hostname=self._host)
            except BaseException:
                connection.abort()
                raise
        return connection

    def _encode(self, request: HttpRequest) -> Sequence[bytes]:
        lines = [f"{request.method} {request.target} HTTP/1.1"]
        headers = complete_headers(request, self._authority)
        lines += (f"{name}: {value}" for name, value in headers)
        head = "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"
        if request.chunked is None:
            return [head + request.body]
        return [head, *encode_chunks(request.body, request.chunked)]
