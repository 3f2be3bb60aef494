"""Forwards requests to the real backend (`--upstream`), so that one base URL serves a frontend.

Bodies are streamed in both directions, and the rules for gateways are those of RFC 9110, 7.6.
Redirects are not followed, bodies are not decoded, and cookies are not kept.
"""

import asyncio
import logging
import os
import re
import secrets
import socket
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpcore2
import httpx2
from msgspec import Struct
from starlette.types import Receive, Scope
from typing_extensions import override

from clients_register.handlers.app import CallerDisconnected
from clients_register.handlers.stub.problems import Headers, Problem

log = logging.getLogger(__name__)

# Seconds after which an idle connection is not used again. Many servers close theirs after five,
# and a request on a connection that is being closed fails.
KEEPALIVE_EXPIRY = 3

# Headers that are for one connection only. Trailers, which `Trailer` announces, are not forwarded.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)

# Headers that delimit or direct a message, even if `Connection` names them.
KEPT = frozenset((b"content-length", b"host"))

# Headers of a request that get another value. `Expect` has been answered already.
REPLACED = frozenset((b"expect", b"host", b"x-forwarded-for", b"x-forwarded-prefix"))

# The codes of OpenSSL for a certificate of another host (X509_V_ERR_..._MISMATCH).
_HOST_MISMATCH, _ADDRESS_MISMATCH = 62, 64

_ERRORS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    OSError,
    UnicodeError,
)


class BrokenResponse(Exception):
    """The upstream failed in the middle of a body."""


class UpstreamResponse(Struct):
    """A response whose body is still arriving; iterating over `body` raises BrokenResponse."""

    code: int
    headers: Headers
    body: AsyncIterator[bytes]


class RequestBody:
    """A request's body, to be iterated over once, and the departure of its client."""

    def __init__(self, receive: Receive, departure: asyncio.Event) -> None:
        """`departure` is set when the client has left."""
        self._receive = receive
        self._departure = departure

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yields parts as they arrive. Raises CallerDisconnected."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerDisconnected
            if part := message.get("body", b""):
                yield part
            more = message.get("more_body", False)

    async def run_while_connected(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work`, which reads the body; cancels it if the client leaves.

        A client that has only closed its side has left as well: most that do are gone, and a stream
        of events would go on for nobody. Raises CallerDisconnected, and what `work` raises.
        """
        task = asyncio.create_task(work)
        departure = asyncio.create_task(self._departure.wait())
        try:
            await asyncio.wait((task, departure), return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
            departure.cancel()
            await asyncio.wait((task, departure))
        if task.cancelled():
            raise CallerDisconnected
        task.result()


class _Connection(httpcore2.AsyncHTTPConnection):
    """A connection that is not used again if something follows a response (RFC 9112, 6.3).

    Otherwise that would be taken for the response to the next request.
    """

    @override
    def has_expired(self) -> bool:
        parser = getattr(self._connection, "_h11_state", None)
        has_more = parser is not None and self.is_idle() and parser.trailing_data[0]
        return bool(has_more) or super().has_expired()


class _Pool(httpcore2.AsyncConnectionPool):
    """Connections to the upstream."""

    def __init__(self, ssl_context: ssl.SSLContext) -> None:
        """`ssl_context` says which certificates are trusted."""
        super().__init__(max_connections=None, keepalive_expiry=KEEPALIVE_EXPIRY)
        self._certificates = ssl_context

    @override
    def create_connection(self, origin: httpcore2.Origin) -> httpcore2.AsyncHTTPConnection:
        return _Connection(origin, self._certificates, KEEPALIVE_EXPIRY)


class Upstream:
    """The real backend."""

    def __init__(self, url: str, timeout: float) -> None:
        """`timeout` limits connecting, each write, and the wait for a response, in seconds.

        It does not limit the time between the parts of a response, which may be a stream of events.
        """
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self._scheme = parts.scheme.encode()
        self._authority = parts.netloc.encode()
        self._host = (parts.hostname or "").encode()
        self._port = parts.port
        self._path = parts.path.encode()
        self._timeout = timeout
        # Tells this server's requests apart, so that it notices when one comes back.
        self._via = f"1.1 clients-register-{secrets.token_hex(4)}".encode()
        # Certificates are verified against those of the system, or against SSL_CERT_FILE.
        self._pool = _Pool(httpx2.create_ssl_context())

    async def close(self) -> None:
        """Closes all connections."""
        await self._pool.aclose()

    def locate(self, scope: Scope) -> str:
        """Returns the URL that a request is forwarded to, without its query."""
        raw_path: bytes = scope["raw_path"]
        return self.url + raw_path.decode("latin-1")

    @asynccontextmanager
    async def send(
        self, scope: Scope, body: AsyncIterable[bytes], prefix: str = ""
    ) -> AsyncIterator[UpstreamResponse]:
        """Forwards a request, and yields the response. Raises Problem if there is none.

        `prefix` is what its client knows the path of `scope` below. Raises what `body` raises.
        """
        self._check(scope["headers"])
        response = await self._receive_head(scope, body, prefix)
        try:
            yield UpstreamResponse(
                response.status, self._response_headers(response), _stream(response)
            )
        finally:
            await response.aclose()

    def _check(self, headers: Headers) -> None:
        """Raises Problem for a request that cannot be forwarded."""
        for name, value in headers:
            if name == b"via" and self._via in value:
                raise Problem(
                    "upstream-loop",
                    f"expected --upstream to be the real backend, found that {self.url} leads back"
                    " to this server",
                    "Restart the stub with the address of the backend",
                    508,
                )
            if name == b"sec-websocket-key":
                raise Problem(
                    "websocket-not-forwarded",
                    "expected an HTTP request, found the handshake of a WebSocket, which the stub"
                    " does not forward",
                    f"Open the WebSocket at {re.sub('^http', 'ws', self.url)}",
                    501,
                )

    async def _receive_head(
        self, scope: Scope, body: AsyncIterable[bytes], prefix: str
    ) -> httpcore2.Response:
        """Sends a request, and waits for the head of the response. Raises Problem."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit:

                async def send_body() -> AsyncIterator[bytes]:
                    try:
                        async for part in body:
                            yield part
                    finally:
                        limit.reschedule(loop.time() + self._timeout)

                response = await self._pool.handle_async_request(
                    self._build_request(scope, prefix, send_body())
                )
        except (TimeoutError, httpcore2.TimeoutException) as error:
            raise self._late(error) from None
        except _ERRORS as error:
            raise self._failure(error) from None
        if response.status < HTTPStatus.OK:
            await response.aclose()
            raise self._failure(httpcore2.ProtocolError())
        return response

    def _build_request(
        self, scope: Scope, prefix: str, body: AsyncIterator[bytes]
    ) -> httpcore2.Request:
        target: bytes = self._path + scope["raw_path"]
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        limits = {"connect": self._timeout, "write": self._timeout}
        return httpcore2.Request(
            scope["method"],
            httpcore2.URL(scheme=self._scheme, host=self._host, port=self._port, target=target),
            headers=self._request_headers(scope, prefix),
            content=body,
            extensions={"timeout": limits},
        )

    def _request_headers(self, scope: Scope, prefix: str) -> Headers:
        """Returns the headers to forward, including `X-Forwarded-*` and `Via`.

        If a proxy in front of the stub has set the original host or scheme, that value is kept.
        """
        received: Headers = scope["headers"]
        values = dict(received)
        headers: Headers = [(b"host", self._authority)]
        if b"transfer-encoding" in values:
            headers.append((b"transfer-encoding", b"chunked"))
        for name, value in _end_to_end(received):
            if name not in REPLACED:
                # The library refuses lengths of more than 20 digits.
                is_length = name == b"content-length"
                headers.append((name, value.lstrip(b"0") or b"0" if is_length else value))
        clients = [value for name, value in received if name == b"x-forwarded-for"]
        clients.append((scope["client"] or ("unknown",))[0].encode())
        headers.append((b"x-forwarded-for", b", ".join(clients)))
        original = (
            (b"x-forwarded-host", values.get(b"host", b"")),
            (b"x-forwarded-proto", scope["scheme"].encode()),
        )
        headers += [(name, value) for name, value in original if value and name not in values]
        prefixes = values.get(b"x-forwarded-prefix", b"") + prefix.encode()
        if prefixes:
            headers.append((b"x-forwarded-prefix", prefixes))
        headers.append((b"via", self._via))
        return headers

    def _response_headers(self, response: httpcore2.Response) -> Headers:
        headers = [(name.lower(), value) for name, value in response.headers]
        names = {name for name, _ in headers}
        if b"trailer" in names:
            log.warning("a response of %s has trailers, which are not forwarded", self.url)
        # A length besides chunks is wrong (RFC 9112, 6.3), and one of no content (RFC 9110, 8.6).
        is_wrong = b"transfer-encoding" in names or response.status == HTTPStatus.NO_CONTENT
        ignored = b"content-length" if is_wrong else None
        kept = [each for each in _end_to_end(headers) if each[0] != ignored]
        return [*kept, (b"via", self._via)]

    def _late(self, error: Exception) -> Problem:
        """Returns the problem of an upstream that took too long."""
        expected = "to connect and to respond"
        if isinstance(error, httpcore2.WriteTimeout):
            expected = "to read the body of the request, or to close the connection,"
        return Problem(
            "upstream-timeout",
            f"expected {self.url} {expected} within {self._timeout:g} seconds, found that it did"
            " not",
            "Check that it is well, or start the stub with a higher --upstream-timeout",
            504,
        )

    def _failure(self, error: Exception) -> Problem:
        """Returns the problem of an upstream that did not respond."""
        cause = _find_cause(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return self._untrusted(cause)
        if isinstance(cause, ssl.SSLError):
            return Problem(
                "upstream-unreachable",
                f"expected {self.url} to speak TLS, found: {cause.reason or cause}",
                "Check that --upstream begins with the right one of http:// and https://",
                502,
            )
        if isinstance(error, httpcore2.LocalProtocolError):
            return Problem(
                "request-not-forwarded",
                f"expected a request that HTTP/1.1 can express, found: {error}",
                "Correct the request; nothing was sent to the upstream",
                400,
            )
        if isinstance(error, httpcore2.ConnectError | OSError | UnicodeError):
            return Problem(
                "upstream-unreachable",
                f"expected {self.url} to accept connections, found: {_describe(cause)}",
                "Check that it runs, and that --upstream is its address",
                502,
            )
        return Problem(
            "upstream-failed",
            f"expected an HTTP response from {self.url}, found that the connection was closed or"
            f" that something else arrived{_quote(error)}",
            "See the log of that server",
            502,
        )

    def _untrusted(self, error: ssl.SSLCertVerificationError) -> Problem:
        found = f"found: {error.verify_message}"
        if error.verify_code in (_HOST_MISMATCH, _ADDRESS_MISMATCH):
            return Problem(
                "upstream-untrusted",
                f"expected {self.url} to have a certificate for that name, {found}",
                "Start the stub with a name of the backend that its certificate has",
                502,
            )
        return Problem(
            "upstream-untrusted",
            f"expected {self.url} to have a certificate of a known authority, {found}",
            "Set the variable SSL_CERT_FILE to a file with the authority's certificate, and start"
            " the stub again",
            502,
        )


def _end_to_end(headers: Headers) -> Headers:
    """Removes hop-by-hop headers (RFC 9110, 7.6.1)."""
    named = b",".join(value for name, value in headers if name == b"connection")
    dropped = HOP_BY_HOP.union(map(bytes.strip, named.lower().split(b","))) - KEPT
    return [each for each in headers if each[0] not in dropped]


async def _stream(response: httpcore2.Response) -> AsyncIterator[bytes]:
    try:
        async for part in response.aiter_stream():
            yield part
    except _ERRORS:
        raise BrokenResponse from None


def _describe(error: BaseException) -> str:
    """Describes why no connection was made."""
    if isinstance(error, socket.gaierror):
        return f"{error.strerror}"
    if isinstance(error, OSError) and error.errno:
        # The event loops have words of their own.
        return os.strerror(error.errno)
    return str(error)


def _quote(error: Exception) -> str:
    """Returns what the parser says of something that is not HTTP."""
    return f": {error}" if isinstance(error, httpcore2.RemoteProtocolError) and str(error) else ""


def _find_cause(error: BaseException) -> BaseException:
    """Returns the error of the system that led to `error`, or itself if there is none."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.errno is not None:
            return found
        if isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        else:
            found = found.__cause__ or found.__context__
    return error
