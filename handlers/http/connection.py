"""HTTP/1.1 connections: requests are parsed, answered in order, and bounded in size and time.

A request passes through:

    data_received, RequestParser.feed, head_received, _respond, RequestCycle.send, finish

uvicorn listens, stops, and creates a `Connection` for each client. Its own protocol bounds neither
heads nor the time they take, loses the body of a request that offers an upgrade, and does not
answer a client that has closed its side of the connection.

A connection holds at most one head of `max_head` bytes, 64 KiB of a body that the application has
not read yet, the requests in 4 KiB, one response, and what the event loop reads at once (256 KiB).
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Scope
from typing_extensions import override
from uvicorn.server import ServerState

from clients_register.handlers.http.cycle import RequestCycle, serialize_refusal
from clients_register.handlers.http.deadlines import ConnectionLimits, DeadlineTimer
from clients_register.handlers.http.parser import Header, Reading, Refusal, RequestParser
from clients_register.handlers.http.transport import connection_scope, reset

log = logging.getLogger(__name__)

# Takes what was read of the request.
LogRefusal = Callable[[Scope, Refusal], None]

# The key of the ASGI extension with the `Connection`.
CONNECTION = "clients_register.connection"

# How much is parsed at once, in bytes. All requests in it are queued; the rest waits unparsed.
MAX_PARSED = 4096

# How often that is done before others have their turn: one-byte chunks take 4 ms each time.
MAX_PARTS = 4

# How much is read, and for how many seconds, after a response that ends the connection before the
# request was complete. Closing at once would discard the response with what is still to be read.
MAX_LINGERING = 1024 * 1024
LINGER_TIMEOUT = 5


def connection_of(scope: Scope) -> "Connection | None":
    """Returns the connection of a request; None if another server calls the application."""
    found: Connection | None = scope.get("extensions", {}).get(CONNECTION)
    return found


class ConnectionConfig(uvicorn.Config):
    """uvicorn's configuration, with the limits of each connection."""

    def __init__(
        self, app: ASGIApp, limits: ConnectionLimits, log_refusal: LogRefusal, **options: Any
    ) -> None:
        """`log_refusal` is called for each request that is refused; `options` are uvicorn's."""
        super().__init__(app, http=Connection, ws="none", **options)
        self.limits = limits
        self.log_refusal = log_refusal


class Connection(asyncio.Protocol):
    """One connection. uvicorn creates it, calls `shutdown`, and waits for the tasks."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002 - uvicorn passes it
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        assert isinstance(config, ConnectionConfig)
        self._app: ASGIApp = config.loaded_app
        self._limits = config.limits
        self._log_refusal = config.log_refusal
        self._server = server_state
        self._loop = _loop or asyncio.get_event_loop()
        self._parser = RequestParser(self, config.limits.max_head)
        self.transport: asyncio.Transport
        self._scope: Scope
        # Cycles in the order of their requests; the first one is running.
        self._queue: deque[RequestCycle] = deque()
        # The cycle whose body is being read.
        self._receiving: RequestCycle | None = None
        # When the request that is arriving has to be complete, and when the next one has to begin.
        self._request_due = self._idle_due = 0.0
        # Bytes that have arrived, but are parsed only when a request is finished.
        self._unparsed = b""
        # Whether no further requests are accepted, and why, if one was refused.
        self._is_last = False
        self.refusal: Refusal | None = None
        # How much was read after the last response; None before.
        self._lingered: int | None = None
        # Whether reading is paused.
        self._is_paused = False
        # Set while the client does not read what was sent.
        self._drained: asyncio.Future[None] | None = None
        self._is_running = False
        # When a client that is not reading, or whose connection is closing, is disconnected.
        self._abort_due = 0.0
        self._timer = DeadlineTimer(self._loop, self._find_deadline, self._expire)
        # Set when the client has closed its side of the connection, or all of it.
        self.departure = asyncio.Event()

    @property
    def default_headers(self) -> list[Header]:
        """The headers of every response, such as `Date`."""
        return self._server.default_headers

    @property
    def waits_for_client(self) -> bool:
        """Whether the client has to send the rest of its request, or to read the response."""
        return bool(self._queue) and (self._queue[0].started or not self._queue[0].complete)

    # Called by the event loop

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        # Its type lists the protocols of uvicorn.
        self._server.connections.add(self)  # type: ignore[arg-type]
        self._scope = connection_scope(transport)
        self._begin_idling()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self.departure.set()
        self._timer.stop()
        for cycle in self._queue:
            cycle.end()
        self._release_drain()

    @override
    def data_received(self, data: bytes) -> None:
        if self._lingered is not None:
            self._lingered += len(data)
            if self._lingered > MAX_LINGERING:
                self.transport.abort()
        elif self._is_last:
            pass
        elif self._unparsed:
            self._unparsed += data
        else:
            self._parse(data)

    @override
    def eof_received(self) -> bool:
        """Keeps the connection open for the responses to requests that are complete."""
        self.departure.set()
        if self._lingered is None and self._end_requests():
            return True
        self.close()
        return False

    @override
    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()
        self._abort_due = self._loop.time() + self._limits.receive_timeout
        self.pause_reading()
        self._update_deadline()

    @override
    def resume_writing(self) -> None:
        self._release_drain()
        if self._is_running or self.transport.is_closing() or self._lingered is not None:
            self.resume_reading()
            self._update_deadline()
        else:
            self._continue()

    # Called by uvicorn

    def shutdown(self) -> None:
        """Closes the connection, once the requests that have begun are responded to."""
        if not self._queue:
            self.close()
            return
        self._queue[-1].keep_alive = False
        if self._queue[-1].complete:
            self._is_last = True
            self._unparsed = b""

    # Called by the parser

    def begin_request(self) -> None:
        """See `RequestListener`."""
        if self._is_last:
            raise Refusal(400, "expected no request after the last one, found another")
        self._request_due = self._loop.time() + self._limits.receive_timeout

    def head_received(self, scope: Scope, *, keep_alive: bool, expects_continue: bool) -> None:
        """See `RequestListener`."""
        cycle = RequestCycle(
            self,
            {**self._scope, **scope, "extensions": {CONNECTION: self}},
            keep_alive=keep_alive,
            expects_continue=expects_continue,
        )
        self._receiving = cycle
        self._queue.append(cycle)
        if not self._is_running and self._drained is None:
            self._run(self._queue[0])

    def body_received(self, part: bytes) -> None:
        """See `RequestListener`."""
        if self._receiving is not None:
            self._receiving.feed(part)

    def request_received(self) -> None:
        """See `RequestListener`."""
        cycle, self._receiving = self._receiving, None
        if cycle is not None:
            self._is_last = not cycle.keep_alive
            cycle.complete_request()

    # Called by cycles

    def write(self, content: bytes) -> None:
        """See `Channel`."""
        self.transport.write(content)

    async def drain(self) -> None:
        """See `Channel`."""
        if self._drained is not None:
            await self._drained

    def pause_reading(self) -> None:
        """See `Channel`."""
        if not self._is_paused and not self.transport.is_closing():
            self._is_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads on, once all that arrived is parsed, and the client has read what was sent."""
        if not self._is_paused:
            return
        is_full = self._receiving is not None and self._receiving.is_full
        waits = is_full or self._unparsed or self._drained is not None
        if not waits and not self.transport.is_closing():
            self._is_paused = False
            self.transport.resume_reading()
            self._request_due = self._loop.time() + self._limits.receive_timeout
            self._update_deadline()

    def finish(self, cycle: RequestCycle) -> None:
        """See `Channel`."""
        self._queue.popleft()
        self._is_running = False
        self._server.total_requests += 1
        if self.transport.is_closing():
            return
        if not cycle.complete:
            self._linger()
        elif not cycle.keep_alive:
            self.close()
        else:
            self._continue()

    # Called by all of these, and by the stub

    def close(self) -> None:
        """Closes the connection once the client has read everything, within a limit."""
        if not self.transport.is_closing():
            self.transport.close()
            self._abort_due = self._loop.time() + self._limits.receive_timeout
            self._update_deadline()

    def abort(self) -> None:
        """Closes the connection at once. Requests that are running find their client gone."""
        self.transport.abort()

    # Internal

    def _continue(self) -> None:
        """Goes on after a response, or else when the client has read most of it."""
        if self._drained is None:
            if self._queue:
                self._run(self._queue[0])
            elif self.refusal is not None:
                self._send_refusal(self.refusal)
            elif self._is_last:
                self.close()
            else:
                self._begin_idling()
            if self._unparsed:
                self._loop.call_soon(self._parse_rest)
            self.resume_reading()

    def _run(self, cycle: RequestCycle) -> None:
        self._is_running = True
        cycle.task = self._loop.create_task(self._respond(cycle))
        self._server.tasks.add(cycle.task)

    async def _respond(self, cycle: RequestCycle) -> None:
        """Calls the application. Without a complete response the connection is closed."""
        try:
            await self._app(cycle.scope, cycle.receive, cycle.send)
        except Exception:
            log.exception("a request crashed outside the application's own handling of crashes")
        finally:
            if not cycle.ended and cycle.ends_with_connection:
                reset(self.transport)
            elif not cycle.ended:
                self.abort()
            # A callback of the task would take longer.
            self._server.tasks.discard(cycle.task)

    def _parse(self, data: bytes) -> None:
        """Parses `data`, but not further once a request waits behind a running one."""
        position = parts = 0
        while position < len(data) and len(self._queue) <= 1 and not self._is_last:
            if parts == MAX_PARTS:
                self._loop.call_soon(self._parse_rest)
                break
            parts += 1
            part = data[position : position + MAX_PARSED]
            position += len(part)
            try:
                self._parser.feed(part)
            except Refusal as refusal:
                if not self._is_last:
                    self._refuse(refusal)
                break
        if not self._is_last:
            self._unparsed = data[position:]
            if self._unparsed:
                self.pause_reading()
        if self._parser.reading is not Reading.IDLE:
            self._update_deadline()

    def _parse_rest(self) -> None:
        """Parses what had to wait."""
        if self.transport.is_closing() or self._is_last or self._drained is not None:
            return
        rest, self._unparsed = self._unparsed, b""
        self._parse(rest)
        self.resume_reading()
        if self.departure.is_set() and not self._end_requests():
            self.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Sends the refusal after the responses to complete requests, and ends the connection."""
        self._is_last = True
        self._unparsed = b""
        receiving, self._receiving = self._receiving, None
        if receiving is not None and receiving.started:
            self.abort()
            return
        self.refusal = refusal
        self._log_refusal(self._scope if receiving is None else receiving.scope, refusal)
        if receiving is not None:
            self._queue.pop()
            self._is_running = bool(self._queue) and self._is_running
            receiving.end()
        if not self._queue:
            self._send_refusal(refusal)

    def _send_refusal(self, refusal: Refusal) -> None:
        self.write(serialize_refusal(refusal, self.default_headers))
        self._linger()

    def _end_requests(self) -> bool:
        """Notes that no more will arrive. Returns whether a response is still to be sent."""
        if self._unparsed:
            return True
        if self._receiving is not None:
            if self._receiving is self._queue[0]:
                return False
            self._queue.pop()
            self._receiving = None
        self._is_last = True
        if self._queue and self.refusal is None:
            self._queue[-1].keep_alive = False
        return bool(self._queue)

    def _linger(self) -> None:
        """Closes the sending side, and reads on for a while before the connection is closed."""
        if self.departure.is_set():
            self.close()
            return
        self._is_last = True
        self._receiving = None
        self._unparsed = b""
        self._lingered = 0
        self._abort_due = self._loop.time() + LINGER_TIMEOUT
        self.resume_reading()
        # The client may have reset the connection, without the event loop knowing yet.
        with suppress(OSError):
            self.transport.write_eof()
        self._update_deadline()

    def _release_drain(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def _begin_idling(self) -> None:
        """Starts the time in which the next request has to begin."""
        self._idle_due = self._loop.time() + self._limits.idle_timeout
        self._timer.set(self._idle_due)

    def _update_deadline(self) -> None:
        """Sets the timer, after the deadline may have moved to an earlier time."""
        self._timer.set(self._find_deadline())

    def _find_deadline(self) -> float:
        """Returns when the connection is closed unless something happens."""
        if self._is_ending() or self._drained is not None:
            return self._abort_due
        if self._is_awaiting_request():
            return self._request_due
        return math.inf if self._queue else self._idle_due

    def _is_ending(self) -> bool:
        """Whether the client has to read the last response, or to close its side."""
        return self._lingered is not None or self.transport.is_closing()

    def _is_awaiting_request(self) -> bool:
        """Whether a part of a request has arrived, and the client has to send the rest."""
        is_incomplete = self._parser.reading is not Reading.IDLE
        return is_incomplete and not self._is_paused and not self._is_last

    def _expire(self) -> None:
        """Ends what has lasted until the deadline."""
        if self._is_ending() or self._drained is not None:
            self.abort()
        elif not self._is_awaiting_request():
            self.close()
        else:
            seconds = self._limits.receive_timeout
            self._refuse(Refusal(408, f"the request did not arrive within {seconds:g} seconds"))
