"""Reads answers of HTTP/1.1 (RFC 9112) off a stream, and writes bodies in chunks."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass

# Bytes that a head (or what follows the chunks) and a body may have before they are taken for a
# fault.
MAX_HEAD = 65_536
MAX_BODY = 8 * 1024 * 1024

INTERIM = range(100, 200)
TUNNELLED = range(200, 300)
BODILESS = (204, 304)

_STATUS_LINE = re.compile(r"(HTTP/1\.[01]) ([1-9][0-9]{2})(?: [^\r\n\0]*)?")
# A line that begins with white space, which would go on with the one before it, is none.
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)")
_LENGTH = re.compile(r"[0-9]{1,10}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?")


class NotHTTP(Exception):
    """What came is no answer of HTTP/1.1; the message says why."""


class Reader(asyncio.StreamReader):
    """A stream whose bytes can all be read, even after the connection broke.

    That of asyncio refuses to, once a write has failed; but who answers a large body early, and
    hangs up, makes writes fail. `lost` is why the connection broke, if it did.
    """

    lost: Exception | None = None

    def set_exception(self, exc: Exception) -> None:
        """Ends the stream after what has come."""
        self.lost = exc
        self.feed_eof()


@dataclass(frozen=True)
class Head:
    """Status line and headers. `raw` is both, as they came."""

    version: str
    code: int
    headers: tuple[tuple[str, str], ...]
    raw: bytes

    def values(self, name: str) -> list[str]:
        """The members of a header that is a list, in lower case."""
        joined = ",".join(value for key, value in self.headers if key.lower() == name)
        return [each.strip().lower() for each in joined.split(",") if each.strip()]


async def read(reader: Reader, method: str) -> tuple[Head, bytes, bool]:
    """The final answer to a request of `method`: head, body, and whether the connection lasts.

    Raises NotHTTP; EOFError where the connection ends before the answer does.
    """
    head = await _head(reader)
    while head.code in INTERIM:
        head = await _head(reader)
    keep = head.version == "HTTP/1.1" and "close" not in head.values("connection")
    if method == "HEAD" or head.code in BODILESS:
        return head, b"", keep
    codings = head.values("transfer-encoding")
    if codings == ["chunked"]:
        return head, await _chunked(reader), keep
    if codings:
        raise NotHTTP(f"expected no Transfer-Encoding but chunked, found {', '.join(codings)}")
    lengths = sorted(set(head.values("content-length")))
    if not lengths:
        return head, await _rest(reader), False
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]) or int(lengths[0]) > MAX_BODY:
        found = ", ".join(lengths)[:60]
        raise NotHTTP(f"expected one Content-Length of at most {MAX_BODY}, found {found!r}")
    return head, await reader.readexactly(int(lengths[0])), keep


async def tunnel(reader: Reader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    """Asks a proxy for a tunnel to `host` (RFC 9110, section 9.3.6). Raises NotHTTP, EOFError."""
    named = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    writer.write(f"CONNECT {named} HTTP/1.1\r\nHost: {named}\r\n\r\n".encode())
    await writer.drain()
    head = await _head(reader)
    if head.code not in TUNNELLED:
        raise NotHTTP(f"the proxy answers {head.code} to a CONNECT to {named}")


def chunks(body: bytes, size: int) -> Iterator[bytes]:
    """`body` in chunks of `size` bytes, with the last one that says the end."""
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


async def _head(reader: Reader) -> Head:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise NotHTTP(f"expected the end of the head within {MAX_HEAD} bytes") from None
    except asyncio.IncompleteReadError as error:
        if error.partial and not error.partial.startswith(b"HTTP/"):
            raise NotHTTP(f"expected a status line, found {error.partial[:60]!r}") from None
        raise EOFError(f"after {len(error.partial)} bytes of the head") from None
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        raise NotHTTP(f"expected a status line of HTTP/1.1, found {first[:60]!r}")
    headers = []
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise NotHTTP(f"expected a header, found {line[:60]!r}")
        headers.append((header[1], header[2].strip(" \t")))
    return Head(status[1], int(status[2]), tuple(headers), raw)


async def _chunked(reader: Reader) -> bytes:
    body = bytearray()
    while True:
        line = await _line(reader)
        chunk = _CHUNK.fullmatch(line)
        if chunk is None:
            raise NotHTTP(f"expected the size of a chunk, found {line[:60]!r}")
        size = int(chunk[1], 16)
        if size == 0:
            break
        if len(body) + size > MAX_BODY:
            raise NotHTTP(f"expected a body of at most {MAX_BODY} bytes, found more")
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise NotHTTP(f"expected the end of a chunk after its {size} bytes, found more")
    trailers = 0
    while line := await _line(reader):
        trailers += len(line)
        if trailers > MAX_HEAD:
            raise NotHTTP(f"expected at most {MAX_HEAD} bytes after the last chunk, found more")
    return bytes(body)


async def _line(reader: Reader) -> bytes:
    try:
        return (await reader.readuntil(b"\r\n"))[:-2]
    except asyncio.LimitOverrunError:
        raise NotHTTP(f"expected the end of a line within {MAX_HEAD} bytes") from None


async def _rest(reader: Reader) -> bytes:
    body = bytearray()
    while piece := await reader.read(65_536):
        body += piece
        if len(body) > MAX_BODY:
            raise NotHTTP(f"expected a body of at most {MAX_BODY} bytes, found more")
    if reader.lost is not None:
        raise EOFError(f"after {len(body)} bytes of a body that ends with the connection")
    return bytes(body)
