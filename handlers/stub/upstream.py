"""Forwards requests to the real backend (`--upstream`), so that one base URL serves a frontend.

Bodies are streamed in both directions, and the rules for gateways are those of RFC 9110, 7.6.
Redirects are not followed, bodies are not decoded, and cookies are not kept.
"""

import asyncio
import logging
import os
import re
import secrets
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

# Headers of a request that get another value. `Expect` has been answered already.
REPLACED = frozenset((b"expect", b"host", b"x-forwarded-for", b"x-forwarded-prefix"))

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

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._complete = asyncio.Event()

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
        self._complete.set()

    async def run_while_connected(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work`, which reads the body; cancels it if the client leaves after that.

        Raises CallerDisconnected, and what `work` raises.
        """
        task = asyncio.create_task(work)
        departure = asyncio.create_task(self._wait_for_departure())
        try:
            await asyncio.wait((task, departure), return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
            departure.cancel()
            await asyncio.wait((task, departure))
        if task.cancelled():
            raise CallerDisconnected
        task.result()

    async def _wait_for_departure(self) -> None:
        await self._complete.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


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
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(),
            max_connections=None,
            keepalive_expiry=KEEPALIVE_EXPIRY,
        )

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
        except (TimeoutError, httpcore2.TimeoutException):
            raise Problem(
                "upstream-timeout",
                f"expected {self.url} to connect and to respond within {self._timeout:g} seconds,"
                " found that it did not",
                "Check that it is well, or start the stub with a higher --upstream-timeout",
                504,
            ) from None
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
        headers += [each for each in _end_to_end(received) if each[0] not in REPLACED]
        clients = [value for name, value in received if name == b"x-forwarded-for"]
        clients.append((scope["client"] or ("unknown",))[0].encode())
        headers.append((b"x-forwarded-for", b", ".join(clients)))
        original = (
            (b"x-forwarded-host", values.get(b"host", b"")),
            (b"x-forwarded-proto", scope["scheme"].encode()),
        )
        headers += [(name, value) for name, value in original if name not in values]
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
        # A length besides chunks is wrong (RFC 9112, 6.3).
        ignored = b"content-length" if b"transfer-encoding" in names else None
        kept = [each for each in _end_to_end(headers) if each[0] != ignored]
        return [*kept, (b"via", self._via)]

    def _failure(self, error: Exception) -> Problem:
        """Returns the problem of an upstream that did not respond."""
        cause = _find_cause(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Problem(
                "upstream-untrusted",
                f"expected {self.url} to have a certificate of a known authority, found:"
                f" {cause.verify_message}",
                "Set the variable SSL_CERT_FILE to a file with the authority's certificate, and"
                " start the stub again",
                502,
            )
        if isinstance(error, httpcore2.ConnectError | OSError | UnicodeError):
            reason = str(cause)
            if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
                # The event loops have words of their own, but not of names that are not found.
                reason = os.strerror(cause.errno)
            return Problem(
                "upstream-unreachable",
                f"expected {self.url} to accept connections, found: {reason}",
                "Check that it runs, and that --upstream is its address",
                502,
            )
        return Problem(
            "upstream-failed",
            f"expected an HTTP response from {self.url}, found that the connection was closed or"
            " that something else arrived",
            "See the log of that server",
            502,
        )


def _end_to_end(headers: Headers) -> Headers:
    """Removes hop-by-hop headers (RFC 9110, 7.6.1)."""
    named = b",".join(value for name, value in headers if name == b"connection")
    dropped = HOP_BY_HOP.union(map(bytes.strip, named.lower().split(b",")))
    return [each for each in headers if each[0] not in dropped]


async def _stream(response: httpcore2.Response) -> AsyncIterator[bytes]:
    try:
        async for part in response.aiter_stream():
            yield part
    except _ERRORS:
        raise BrokenResponse from None


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
