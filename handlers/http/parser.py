"""Requests as they arrive: parsed, bounded in size, and refused where HTTP forbids them.

llhttp (httptools) does the parsing.
"""

import ipaddress
import logging
import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple, Protocol
from urllib.parse import unquote

import httptools
from starlette.types import Scope

log = logging.getLogger(__name__)

Header = tuple[bytes, bytes]

_CODINGS = b"transfer-encoding"

MAX_PORT = 65535

# Headers of a request, and characters of a host (RFC 3986, 3.2.2). A header takes a hundred bytes
# of memory besides its text.
MAX_HEADERS = 256
MAX_HOST = 255

# RFC 3986, 3.2.2: an address in brackets or a name, and perhaps a port.
_AUTHORITY = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|((?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*))(?::([0-9]{0,5}))?"
)


class Refusal(Exception):
    """A request that HTTP forbids. The response, with the message as its body, is the last one."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Reading(Enum):
    """The part of a request that is being read: none yet, its head, or its body."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()


class RequestListener(Protocol):
    """Is called as parts of a request arrive."""

    def begin_request(self) -> None:
        """The first byte of a request has arrived. Raises Refusal if no more are accepted."""

    def head_received(self, scope: Scope, *, keep_alive: bool, expects_continue: bool) -> None:
        """The head has arrived. `scope` holds what the request adds to that of a connection."""

    def body_received(self, part: bytes) -> None:
        """A part of the body has arrived."""

    def request_received(self) -> None:
        """The whole request has arrived."""


class RequestParser:
    """Parses the requests of one connection."""

    def __init__(self, listener: RequestListener, max_head: int) -> None:
        """`max_head` bounds a head, and what is sent between parts of a body, in bytes."""
        self.reading = Reading.IDLE
        self._listener = listener
        self._max_head = max_head
        self._parser = httptools.HttpRequestParser(self)
        # Bytes since the last head was complete, or part of a body arrived.
        self._overhead = 0
        self._target = b""
        self._headers: list[Header] = []

    def feed(self, data: bytes) -> None:
        """Parses `data`, of a few KiB at most, since all of it counts as one head. Raises Refusal.

        After a Refusal nothing may be fed any more.
        """
        self._overhead += len(data)
        while data:
            try:
                self._parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as offer:
                # An offer that is not taken up is ignored (RFC 9110, 7.8). The parser takes every
                # offer for accepted, so another one reads the head without it, and the body.
                data = self._head_without_upgrade() + data[offer.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserError as error:
                if isinstance(error.__context__, Refusal):
                    raise error.__context__ from None
                if error.__context__ is not None:
                    log.error("a request could not be read", exc_info=error.__context__)
                raise Refusal(400, f"expected an HTTP/1.1 request, found: {error}") from None
        self._check_size(self._overhead)

    # Called by httptools

    def on_message_begin(self) -> None:
        """Begins a request."""
        self.reading = Reading.HEAD
        self._target = b""
        self._headers = []
        self._listener.begin_request()

    def on_url(self, part: bytes) -> None:
        """Adds to the request target."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Adds a header. Raises Refusal."""
        if len(self._headers) == MAX_HEADERS:
            raise Refusal(431, f"expected at most {MAX_HEADERS} headers, found more")
        self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Checks the head, and reports it. Raises Refusal."""
        headers, target = self._headers, self._target
        method = self._parser.get_method()
        if method == b"CONNECT":
            raise Refusal(501, "expected a request to this server, found CONNECT, as to a proxy")
        if self._parser.should_upgrade():
            # The parser is about to stop; see `feed`.
            return
        if self._overhead > self._max_head:
            size = sum(len(name) + len(value) + len(": \r\n") for name, value in headers)
            self._check_size(len(target) + size)
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise Refusal(505, f"expected HTTP/1.1, found HTTP/{version}")
        if not target.startswith(b"/"):
            target = resolve_target(target, method, headers)
        named = dict(headers)
        check_host(headers, named, version)
        if _CODINGS in named and not _is_chunked(headers):
            raise Refusal(501, "expected no transfer coding but chunked, found another")
        raw_path, _, query = target.partition(b"#")[0].partition(b"?")
        path = raw_path.decode("latin-1")
        # Trailers must not become headers (RFC 9110, 6.5.1).
        self._headers = []
        self.reading = Reading.BODY
        self._overhead = 0
        self._listener.head_received(
            {
                "http_version": version,
                "method": method.decode("ascii"),
                "path": unquote(path) if "%" in path else path,
                "raw_path": raw_path,
                "query_string": query,
                "headers": headers,
            },
            keep_alive=version == "1.1" and self._parser.should_keep_alive(),
            expects_continue=b"expect" in named and version == "1.1" and _expects_continue(headers),
        )

    def on_body(self, part: bytes) -> None:
        """Reports a part of the body."""
        self._overhead = 0
        self._listener.body_received(part)

    def on_message_complete(self) -> None:
        """Reports the end of a request."""
        if self.reading is Reading.BODY:
            self._overhead = 0
            self.reading = Reading.IDLE
            self._listener.request_received()

    def _head_without_upgrade(self) -> bytes:
        method, version = self._parser.get_method(), self._parser.get_http_version()
        lines = [b"%b %b HTTP/%b" % (method, self._target, version.encode())]
        lines += [b"%b: %b" % each for each in self._headers if each[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _check_size(self, size: int) -> None:
        if size <= self._max_head:
            return
        code, found = (414, "URL") if len(self._target) > self._max_head // 2 else (431, "one")
        raise Refusal(
            code, f"expected a head of at most {self._max_head} bytes, found a longer {found}"
        )


class Authority(NamedTuple):
    """A host in lower case, without brackets, and a port if one was given."""

    host: str
    port: int | None


def parse_authority(value: bytes) -> Authority:
    """Parses HOST or HOST:PORT, without user information.

    Raises ValueError if `value` is neither.
    """
    if len(value) > MAX_HOST:
        raise ValueError(f"expected at most {MAX_HOST} characters, found more")
    return _parse_authority(value)


@lru_cache(maxsize=1000)
def _parse_authority(value: bytes) -> Authority:
    found = _AUTHORITY.fullmatch(value.decode("latin-1"))
    if found is None or int(found[3] or 0) > MAX_PORT:
        raise ValueError("expected a host and perhaps a port, such as localhost:4018")
    if found[1] is not None:
        ipaddress.IPv6Address(found[1])
    host: str = found[2] if found[1] is None else found[1]
    return Authority(host.lower(), int(found[3]) if found[3] else None)


def check_host(headers: Sequence[Header], named: Mapping[bytes, bytes], version: str) -> None:
    """Raises Refusal unless there is one valid `Host` (RFC 9112, 3.2); HTTP/1.0 needs none.

    `named` maps the names of all `headers` to one value of each.
    """
    count = 1 if b"host" in named else 0
    if len(named) < len(headers):
        count = sum(name == b"host" for name, _ in headers)
    if count > 1 or (not count and version != "1.0"):
        found = count or "none"
        raise Refusal(400, f"expected one Host header (RFC 9112, section 3.2), found {found}")
    try:
        if count:
            parse_authority(named[b"host"])
    except ValueError as error:
        raise Refusal(400, f"Host: {error}") from None


def _is_chunked(headers: Sequence[Header]) -> bool:
    return all(value == b"chunked" for name, value in headers if name == _CODINGS)


def _expects_continue(headers: Sequence[Header]) -> bool:
    return any(
        name == b"expect" and b"100-continue" in map(bytes.strip, value.lower().split(b","))
        for name, value in headers
    )


def resolve_target(target: bytes, method: bytes, headers: list[Header]) -> bytes:
    """Returns the path of a request target that is a URL, whose authority replaces `Host`.

    `OPTIONS *` stays (RFC 9112, 3.2). Raises Refusal for any other form.
    """
    if target == b"*" and method == b"OPTIONS":
        return target
    found = re.fullmatch(rb"https?://([^/?#:][^/?#]*)(.*)", target, re.IGNORECASE)
    if found is None:
        raise Refusal(400, "expected a request target such as /path or http://host/path")
    authority, path = found.groups()
    headers[:] = [(name, authority if name == b"host" else value) for name, value in headers]
    return path if path.startswith(b"/") else b"/" + path
