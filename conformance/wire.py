"""A raw HTTP/1.1 client (RFC 9112): sends what it is given, shows what came back."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from clients_register.conformance import http1
from clients_register.conformance.http1 import NotHTTP

Headers = tuple[tuple[str, str], ...]

# The default limit of a whole exchange, in seconds.
TIMEOUT = 10.0

# How long servers have to see off connections that are closed, in seconds.
FAREWELL = 1.0

# How long a server has to answer what may be no whole request, before the sending side is closed.
PATIENCE = 0.2


@dataclass(frozen=True)
class Request:
    """One request. `target` is path and query as sent; `chunked` the bytes in a chunk, if any."""

    method: str
    target: str
    headers: Headers
    body: bytes
    chunked: int | None = None


@dataclass(frozen=True)
class Answer:
    """One answer. `raw_head` is its status line and headers as they came."""

    code: int
    headers: Headers
    body: bytes
    seconds: float
    raw_head: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name, in any letter case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class NoAnswer(Exception):
    """No answer came; `kind` is refused, time-out, closed or not-http, the message tells more."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass
class _Connection:
    reader: http1.Reader
    writer: asyncio.StreamWriter

    async def usable(self) -> bool:
        """Whether, as far as can be seen, it is open and all that came has been read.

        What came unasked would be taken for the next answer.
        """
        try:
            # The first look gives the event loop time to fetch what is there, the second finds it.
            for _ in range(2):
                with suppress(TimeoutError):
                    async with asyncio.timeout(0):
                        await self.reader.read(1)
                        return False
        except BaseException:
            self.drop()
            raise
        return not self.writer.is_closing()

    async def write(self, pieces: Sequence[bytes], patience: float | None = None) -> bool:
        """Whether all was written; why not, reading tells.

        With `patience`, the other side is told after so many seconds that nothing will follow.
        """
        try:
            for piece in pieces:
                # An answer that is there is fetched before a write can find the connection broken.
                await asyncio.sleep(0)
                self.writer.write(piece)
                await self.writer.drain()
            if patience is not None:
                await asyncio.sleep(patience)
                self.writer.write_eof()
        except OSError:
            return False
        return True

    def drop(self) -> None:
        """Closes it at once, whatever is still to be written."""
        self.writer.transport.abort()


class Wire:
    """Connections to one origin, kept alive and used again."""

    def __init__(
        self,
        origin: str,
        *,
        timeout: float | None = None,
        ssl_context: ssl.SSLContext | None = None,
        connections: int = 8,
        proxy: str | None = None,
    ) -> None:
        """`origin` is scheme, host and port; `timeout` limits a whole exchange.

        Without an `ssl_context`, https trusts whom this machine trusts. `proxy` is the URL of an
        HTTP proxy; it is asked for a tunnel, so that it changes nothing of what goes through.
        """
        parts = urlsplit(origin)
        secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if secure else 80)
        self._named = parts.netloc
        through = urlsplit(proxy or "")
        self._proxy = (through.hostname, through.port or 80) if through.hostname else None
        self._ssl = (ssl_context or ssl.create_default_context()) if secure else None
        self._timeout = TIMEOUT if timeout is None else timeout
        self._idle: list[_Connection] = []
        self._free = asyncio.Semaphore(connections)

    async def send(self, request: Request) -> Answer:
        """The answer to `request`, which is sent once.

        Raises NoAnswer; ValueError where `request` cannot be written as bytes.
        """
        pieces = self._pieces(request)
        async with self._free:
            try:
                async with asyncio.timeout(self._timeout):
                    connection = await self._connection()
                    return await self._exchange(connection, request.method, pieces)
            except TimeoutError:
                raise NoAnswer("time-out", f"no answer within {self._timeout:g} seconds") from None

    async def send_bytes(self, pieces: Sequence[bytes]) -> Answer:
        """The answer to what may be no HTTP at all, on a connection of its own.

        Who waits for more than `pieces` is told after a moment that nothing follows, and may then
        hang up. Raises NoAnswer.
        """
        async with self._free:
            try:
                async with asyncio.timeout(self._timeout):
                    connection = await self._connected()
                    return await self._exchange(connection, "POST", pieces, PATIENCE)
            except TimeoutError:
                raise NoAnswer("time-out", f"no answer within {self._timeout:g} seconds") from None

    async def close(self) -> None:
        """Closes every connection that is kept."""
        closing, self._idle = self._idle, []
        for connection in closing:
            connection.writer.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await asyncio.gather(
                    *(each.writer.wait_closed() for each in closing), return_exceptions=True
                )
        for connection in closing:
            connection.drop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    async def _exchange(
        self,
        connection: _Connection,
        method: str,
        pieces: Sequence[bytes],
        patience: float | None = None,
    ) -> Answer:
        reader = connection.reader
        lasting = False
        started = time.perf_counter()
        # Read while writing: a server may answer, and close, before it has read a body that is
        # too large.
        writing = asyncio.create_task(connection.write(pieces, patience))
        try:
            head, body, keep = await http1.read(reader, method)
            seconds = time.perf_counter() - started
            lasting = keep and patience is None and writing.done() and writing.result()
        except NotHTTP as error:
            raise NoAnswer("not-http", str(error)) from None
        except EOFError as error:
            why = "" if reader.lost is None else f" ({reader.lost})"
            raise NoAnswer("closed", f"the connection was closed: {error}{why}") from None
        finally:
            writing.cancel()
            if lasting:
                self._idle.append(connection)
            else:
                connection.drop()
        return Answer(head.code, head.headers, body, seconds, head.raw)

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if await connection.usable():
                return connection
            connection.drop()
        return await self._connected()

    async def _connected(self) -> _Connection:
        try:
            return await self._opened()
        except (OSError, UnicodeError, NotHTTP, EOFError) as error:
            why = str(error) or type(error).__name__
            through = "" if self._proxy is None else f" through the proxy {self._proxy[0]}"
            raise NoAnswer("refused", f"no connection to {self._named}{through}: {why}") from None

    async def _opened(self) -> _Connection:
        """A new connection, through the proxy if there is one."""
        loop = asyncio.get_running_loop()
        reader = http1.Reader(http1.MAX_HEAD, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        tunnelled = self._proxy is not None
        host, port = self._proxy if self._proxy is not None else (self._host, self._port)
        transport, _ = await loop.create_connection(
            lambda: protocol, host, port, ssl=None if tunnelled else self._ssl
        )
        connection = _Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
        if tunnelled:
            try:
                await http1.tunnel(reader, connection.writer, self._host, self._port)
                if self._ssl is not None:
                    await connection.writer.start_tls(self._ssl, server_hostname=self._host)
            except BaseException:
                connection.drop()
                raise
        return connection

    def _pieces(self, request: Request) -> Sequence[bytes]:
        named = {name.lower() for name, _ in request.headers}
        lines = [f"{request.method} {request.target} HTTP/1.1"]
        if "host" not in named:
            lines.append(f"Host: {self._named}")
        lines += (f"{name}: {value}" for name, value in request.headers)
        if request.chunked is not None and "transfer-encoding" not in named:
            lines.append("Transfer-Encoding: chunked")
        if request.chunked is None and not named & {"content-length", "transfer-encoding"}:
            lines.append(f"Content-Length: {len(request.body)}")
        head = "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"
        if request.chunked is None:
            return [head + request.body]
        return [head, *http1.chunks(request.body, request.chunked)]
