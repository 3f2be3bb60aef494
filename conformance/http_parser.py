"""Parses HTTP/1.1 responses (RFC 9112) from a stream, and encodes chunked bodies."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

# The most bytes of a head (or of trailers) and of a body; more is treated as a fault. An envelope
# has some hundred bytes, and the suite takes seconds to judge a body of the largest size.
MAX_HEAD = 65_536
MAX_BODY = 1024 * 1024

INTERIM = range(100, 200)
SUCCESSFUL = range(200, 300)
EMPTY = 204
WITHOUT_BODY = (EMPTY, 304)

_STATUS_LINE = re.compile(r"(HTTP/1\.[01]) ([1-9][0-9]{2})(?: [^\r\n\0]*)?")
# A line that begins with white space (obsolete line folding) does not match.
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)")
_LENGTH = re.compile(r"[0-9]{1,10}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?")


class NotHttp(Exception):
    """The bytes received are not an HTTP/1.1 response; the message says why."""


class BufferedReader(asyncio.StreamReader):
    """A stream reader that counts received bytes, and keeps them after the connection broke.

    A server may respond to a large body early and close the connection, which makes our writes
    fail; asyncio's reader then discards the response. `broken_by` is the error, if there was one.
    """

    broken_by: Exception | None = None
    _unread = 0

    async def is_readable(self) -> bool:
        """Tells whether something has arrived that was not read: bytes, or the end."""
        # The event loop resumes this coroutine before it reads from sockets, so that only its
        # second turn shows what has arrived.
        for _ in range(2):
            await asyncio.sleep(0)
        return self._unread > 0 or self.at_eof()

    @override
    def feed_data(self, data: Any) -> None:
        self._unread += len(data)
        super().feed_data(data)

    @override
    async def read(self, n: int = -1) -> bytes:
        data = await super().read(n)
        # Without a limit, this calls itself with one.
        return data if n < 0 else self._count(data)

    @override
    async def readexactly(self, n: int) -> bytes:
        return self._count(await super().readexactly(n))

    @override
    async def readuntil(self, separator: Any = b"\n") -> bytes:
        return self._count(await super().readuntil(separator))

    def _count(self, data: bytes) -> bytes:
        self._unread -= len(data)
        return data

    @override
    def set_exception(self, exc: Exception) -> None:
        self.broken_by = exc
        self.feed_eof()


@dataclass(frozen=True)
class ResponseHead:
    """Status line and headers; `raw` has both as received."""

    version: str
    code: int
    headers: tuple[tuple[str, str], ...]
    raw: bytes

    def values(self, name: str) -> list[str]:
        """Returns the members of a list header, in lower case."""
        joined = ",".join(value for key, value in self.headers if key.lower() == name)
        return [each.strip(" \t").lower() for each in joined.split(",") if each.strip(" \t")]

    @property
    def framing_problems(self) -> tuple[str, ...]:
        """Violations of RFC 9112, sections 6.1 and 6.2, that leave the length unambiguous."""
        lengths, codings = self.values("content-length"), self.values("transfer-encoding")
        problems = {
            "Content-Length with Transfer-Encoding": bool(lengths and codings),
            "Content-Length more than once": len(lengths) > 1,
            f"a length of the body of a {self.code}": self.code == EMPTY
            and bool(lengths + codings),
        }
        return tuple(name for name, found in problems.items() if found)


async def read_response(reader: BufferedReader, method: str) -> tuple[ResponseHead, bytes, bool]:
    """Reads the final response to a `method` request: head, body, and whether to keep alive.

    Raises NotHttp; EOFError if the connection ends before the response does.
    """
    head = await _read_head(reader)
    while head.code in INTERIM:
        head = await _read_head(reader)
    keep_alive = head.version == "HTTP/1.1" and "close" not in head.values("connection")
    if method == "HEAD" or head.code in WITHOUT_BODY:
        return head, b"", keep_alive
    codings = head.values("transfer-encoding")
    if codings == ["chunked"]:
        return head, await _read_chunks(reader), keep_alive
    if codings:
        raise NotHttp(f"expected the Transfer-Encoding chunked, found {', '.join(codings)}")
    lengths = sorted(set(head.values("content-length")))
    if not lengths:
        return head, await _read_to_end(reader), False
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]) or int(lengths[0]) > MAX_BODY:
        found = ", ".join(lengths)[:60]
        raise NotHttp(f"expected one Content-Length of at most {MAX_BODY}, found {found!r}")
    return head, await reader.readexactly(int(lengths[0])), keep_alive


async def open_tunnel(
    reader: BufferedReader, writer: asyncio.StreamWriter, host: str, port: int
) -> None:
    """Asks a proxy for a tunnel to `host` (RFC 9110, section 9.3.6). Raises NotHttp, EOFError."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    writer.write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    await writer.drain()
    head = await _read_head(reader)
    if head.code not in SUCCESSFUL:
        raise NotHttp(f"the proxy responded {head.code} to a CONNECT to {authority}")


def encode_chunks(body: bytes, size: int) -> Iterator[bytes]:
    """Yields `body` in chunks of `size` bytes, followed by the last chunk."""
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


async def _read_head(reader: BufferedReader) -> ResponseHead:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise NotHttp(f"expected the end of the head within {MAX_HEAD} bytes") from None
    except asyncio.IncompleteReadError as error:
        if error.partial and not error.partial.startswith(b"HTTP/"):
            raise NotHttp(f"expected a status line, found {error.partial[:60]!r}") from None
        raise EOFError(f"after {len(error.partial)} bytes of the head") from None
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        raise NotHttp(f"expected a status line of HTTP/1.1, found {first[:60]!r}")
    headers = []
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise NotHttp(f"expected a header, found {line[:60]!r}")
        headers.append((header[1], header[2].strip(" \t")))
    return ResponseHead(status[1], int(status[2]), tuple(headers), raw)


async def _read_chunks(reader: BufferedReader) -> bytes:
    body = bytearray()
    while True:
        line = await _read_line(reader)
        chunk = _CHUNK.fullmatch(line)
        if chunk is None:
            raise NotHttp(f"expected the size of a chunk, found {line[:60]!r}")
        size = int(chunk[1], 16)
        if size == 0:
            break
        if len(body) + size > MAX_BODY:
            raise NotHttp(f"expected a body of at most {MAX_BODY} bytes, found more")
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise NotHttp(f"expected the end of a chunk after its {size} bytes, found more")
    trailers = 0
    while line := await _read_line(reader):
        trailers += len(line)
        if trailers > MAX_HEAD:
            raise NotHttp(f"expected at most {MAX_HEAD} bytes after the last chunk, found more")
    return bytes(body)


async def _read_line(reader: BufferedReader) -> bytes:
    try:
        return (await reader.readuntil(b"\r\n"))[:-2]
    except asyncio.LimitOverrunError:
        raise NotHttp(f"expected the end of a line within {MAX_HEAD} bytes") from None


async def _read_to_end(reader: BufferedReader) -> bytes:
    body = bytearray()
    while piece := await reader.read(65_536):
        body += piece
        if len(body) > MAX_BODY:
            raise NotHttp(f"expected a body of at most {MAX_BODY} bytes, found more")
    if reader.broken_by is not None:
        raise EOFError(f"after {len(body)} bytes of a body without a length")
    return bytes(body)
