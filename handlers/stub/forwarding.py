"""Forwards requests to an upstream, records them, and applies the stub's CORS settings.

All paths but the route are forwarded as streams. A registration (`--passthrough`) is forwarded as a
whole, so that the request log explains it like any other.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Collection
from contextlib import suppress

from starlette.types import Message, Receive, Scope, Send

from clients_register.handlers.access_log import add_details
from clients_register.handlers.app import CallerDisconnected, new_request_id
from clients_register.handlers.context import Request
from clients_register.handlers.http.connection import Connection, connection_of
from clients_register.handlers.settings import Settings
from clients_register.handlers.stub.control.guard import Guard
from clients_register.handlers.stub.cors import Cors, is_preflight, without_permissions
from clients_register.handlers.stub.faults import Faults
from clients_register.handlers.stub.paths import path_prefix
from clients_register.handlers.stub.problems import Headers, Problem, response_messages
from clients_register.handlers.stub.traffic import LogEntry
from clients_register.handlers.stub.upstream import BrokenResponse, RequestBody, Upstream
from clients_register.handlers.stub.worlds import World, Worlds

log = logging.getLogger(__name__)

# The largest response to a registration, in bytes.
MAX_RESPONSE = 1024 * 1024

_REQUEST_ID = b"x-request-id"

# The longest id of an upstream's response that the request log shows, in bytes.
MAX_ID = 200


class Forwarding:
    """Forwards requests to an upstream."""

    def __init__(self, settings: Settings, worlds: Worlds, guard: Guard, cors: Cors) -> None:
        """The `settings` name the upstream, and say whether the route is forwarded, too."""
        self._upstream = Upstream(settings.upstream, settings.upstream_timeout)
        self._includes_route = settings.passthrough
        self._worlds = worlds
        self._guard = guard
        self._cors = cors
        # Connections on which events are being forwarded, which may never end.
        self._streaming: set[Connection] = set()

    def end_streams(self) -> None:
        """Ends the streams of events, so that a stop need not wait for them."""
        for connection in [*self._streaming]:
            connection.abort()

    async def close(self) -> None:
        """Closes the connections to the upstream."""
        await self._upstream.close()

    def takes(self, scope: Scope, route: str) -> bool:
        """Whether to forward a request as a stream; `route` is the path of registrations."""
        path = scope["path"]
        if path == route:
            return self._includes_route and scope["method"] != "POST"
        # `OPTIONS *` is about this server.
        return bool(path.startswith("/"))

    def takes_registration(self, request: Request, faults: Faults) -> bool:
        """Whether to `register`: a fault can only be simulated by this server's rules."""
        return self._includes_route and request.body is not None and not faults.are_set

    async def __call__(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Forwards a request to the world `name`; the scope's path is relative to it.

        Raises Problem. As elsewhere, only a registration creates a world: a request to one that
        does not exist is not recorded.
        """
        self._guard.check_name(scope)
        if is_preflight(scope) and self._cors.allows_credentials(scope["headers"]):
            for message in response_messages(204, self._cors.preflight_headers(scope)):
                await send(message)
            return
        world, connection = self._worlds.find(name) or self._worlds.default, connection_of(scope)
        departure = asyncio.Event() if connection is None else connection.departure
        body = RequestBody(receive, departure)
        world.begin_request(connection)
        try:
            await body.run_while_connected(self._stream(name, world, scope, body, send))
        except CallerDisconnected:
            return
        except BrokenResponse:
            log.warning("%s broke off a response", self._upstream.locate(scope))
            # Without the rest of the response, the connection is closed.
            return
        finally:
            world.end_request(connection)
        await send({"type": "http.response.body"})

    async def _stream(
        self, name: str, world: World, scope: Scope, body: RequestBody, send: Send
    ) -> None:
        """Sends the response as it arrives, but not its end, which begins the next request.

        Raises Problem, CallerDisconnected, BrokenResponse.
        """
        started, connection = time.perf_counter(), connection_of(scope)
        entry = LogEntry.begin(new_request_id(), world.state.clock.now(), scope)

        def record() -> None:
            # Before the response is sent, so that its receiver finds the entry.
            entry.milliseconds = (time.perf_counter() - started) * 1000
            entry.client_left = connection is not None and connection.departure.is_set()
            if world.name == name:
                world.record(entry)
            add_details(scope, request_id=entry.id, forwarded_to=entry.forwarded_to)

        try:
            async with self._upstream.send(scope, body, path_prefix(name)) as response:
                headers = self._set_permissions(scope, _identify(entry, response.headers))
                entry.code, entry.forwarded_to = response.code, self._upstream.locate(scope)
                entry.response_headers = headers
                record()
                if connection is not None and _is_event_stream(headers):
                    self._streaming.add(connection)
                await send(
                    {"type": "http.response.start", "status": response.code, "headers": headers}
                )
                if not any(header == b"content-length" for header, _ in headers):
                    # A stream may begin with silence.
                    await send({"type": "http.response.body", "more_body": True})
                async for part in response.body:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        except Problem as problem:
            entry.code, entry.envelope = problem.code, problem.details()
            record()
            problem.headers += ((_REQUEST_ID, entry.id.encode()),)
            raise
        finally:
            if connection is not None:
                self._streaming.discard(connection)

    async def register(
        self, entry: LogEntry, request: Request, scope: Scope, world: World, slugs: Collection[str]
    ) -> list[Message]:
        """Forwards a registration, and returns the response.

        Its status, one of `slugs`, and its envelope are noted in `entry`. Raises Problem.
        """
        self._guard.check_name(scope)
        # The log shows the envelope, which must not be compressed.
        asked = [each for each in scope["headers"] if each[0] != b"accept-encoding"]
        readable = {**scope, "headers": asked}
        body = _once(request.body or b"")
        async with self._upstream.send(readable, body, world.prefix) as response:
            content = await self._read(response.body)
        entry.code, entry.forwarded_to = response.code, self._upstream.locate(scope)
        with suppress(ValueError, RecursionError):
            envelope = json.loads(content)
            if isinstance(envelope, dict):
                # A lone surrogate cannot be shown.
                json.dumps(envelope, ensure_ascii=False).encode()
                entry.envelope = envelope
                entry.size += len(content)
        status = (entry.envelope or {}).get("status")
        entry.slug = status if isinstance(status, str) and status in slugs else None
        headers = self._set_permissions(scope, _identify(entry, response.headers))
        return response_messages(response.code, headers, content)

    def _set_permissions(self, scope: Scope, headers: Headers) -> Headers:
        """Lets the pages of --cors-origin read a response; otherwise the upstream decides."""
        if not self._cors.allows_credentials(scope["headers"]):
            return headers
        return without_permissions(headers) + self._cors.headers(scope["headers"])

    async def _read(self, body: AsyncIterator[bytes]) -> bytes:
        """Returns the whole of `body`. Raises Problem."""
        content = bytearray()
        found = ""
        try:
            async for part in body:
                content += part
                if len(content) > MAX_RESPONSE:
                    found = "more"
                    break
        except BrokenResponse:
            found = f"that it broke off after {len(content)}"
        if found:
            raise Problem(
                "upstream-failed",
                f"expected {self._upstream.url} to send a whole response of at most {MAX_RESPONSE}"
                f" bytes, found {found}",
                "See the log of that server",
                502,
            )
        return bytes(content)


def _is_event_stream(headers: Headers) -> bool:
    return any(
        name == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in headers
    )


def _identify(entry: LogEntry, headers: Headers) -> Headers:
    """Gives the entry and the response the same id: the upstream's, or else that of the entry."""
    known = next((value for name, value in headers if name == _REQUEST_ID), None)
    if known is None:
        return [*headers, (_REQUEST_ID, entry.id.encode())]
    if len(known) <= MAX_ID:
        entry.id = known.decode("latin-1")
    return headers


async def _once(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body
