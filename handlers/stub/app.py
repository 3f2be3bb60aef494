"""The stub as an ASGI application: one pipeline around the reference implementation."""

import asyncio
import logging
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clients_register.handlers.app import (
    CallerDisconnected,
    dispatch,
    new_request_id,
    read_request,
)
from clients_register.handlers.context import Request, RequestContext
from clients_register.handlers.store.base import StoreError
from clients_register.handlers.stub.control.call import StubParts
from clients_register.handlers.stub.control.plane import PREFIX, ControlPlane
from clients_register.handlers.stub.faults import BEFORE_ROUTING, BrokenConnection, InjectedCrash
from clients_register.handlers.stub.forcing import Example, PreferenceParser
from clients_register.handlers.stub.problems import (
    Header,
    Headers,
    Problem,
    response_messages,
)
from clients_register.handlers.stub.traffic import LogEntry
from clients_register.handlers.stub.worlds import World, Worlds

log = logging.getLogger(__name__)

# Any page may call the route and read the response, without credentials (Fetch standard, CORS).
CORS_HEADERS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"X-Request-Id, Mock-Forced, Mock-Error, Preference-Applied",
    ),
]


@dataclass(slots=True)
class StubRequest:
    """A request to a world, and the response it gets.

    The response is held back until it is complete, because it is recorded before it is sent.
    `headers` are added to it.
    """

    world: World
    entry: LogEntry
    is_registration: bool
    scope: Scope
    receive: Receive
    headers: Headers = field(default_factory=lambda: CORS_HEADERS)
    response: list[Message] = field(default_factory=list)

    async def hold_back(self, message: Message) -> None:
        """Takes the place of ASGI's `send`."""
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *self.headers]}
        self.response.append(message)


class Stub:
    """The pipeline. The docstring of the package names its steps."""

    def __init__(self, worlds: Worlds, max_body: int) -> None:
        """`max_body` is in bytes. `configure` has to be called before the first request."""
        self.worlds = worlds
        self._max_body = max_body

    def configure(self, parts: StubParts, router: ASGIApp, control: ControlPlane) -> None:
        """Sets everything that is built from the document; `router` is that of the contract."""
        self._router = router
        self._control = control
        self._examples = parts.examples
        self._preferences = PreferenceParser(
            {slug: example.status for slug, example in parts.examples.items()}
        )
        self._addresses = parts.addresses
        self._route = parts.route
        statuses = parts.statuses
        self._unidentified = parts.examples[statuses.for_rule("request_is_identified").slug]
        self._crashed = parts.examples[statuses.for_rule("nothing_unforeseen_happens").slug]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a scope of type `http`."""
        try:
            world, path = self.worlds.resolve(scope["path"])
        except Problem as problem:
            await problem.send(send, CORS_HEADERS)
            return
        if path != scope["path"]:
            scope = {**scope, "path": path, "raw_path": path.encode()}
        world.begin_request()
        try:
            if path == PREFIX or path.startswith(f"{PREFIX}/"):
                await self._control(world, scope, receive, send)
            elif path == self._route and _is_preflight(scope):
                for message in response_messages(204, _preflight_headers(scope["headers"])):
                    await send(message)
            else:
                await self._handle(world, scope, receive, send)
        finally:
            world.end_request()

    async def _handle(self, world: World, scope: Scope, receive: Receive, send: Send) -> None:
        """Responds to a request of the API, records it, and delivers the response."""
        method, path = scope["method"], scope["path"]
        entry = LogEntry("", world.state.clock.now(), method, path, time.perf_counter())
        is_registration = path == self._route and method == "POST"
        request = StubRequest(world, entry, is_registration, scope, receive)
        try:
            await self._respond(request)
        except CallerDisconnected:
            return
        except StoreError as error:
            self._respond_unforced(
                request, self._crashed if is_registration else self._unidentified
            )
            log.error("%s: crash in the world %s: %s", entry.id, world.name, error)
        except Exception as error:  # noqa: BLE001 - a crash gets a response, too
            # The stack only: the message of an exception may quote the request.
            stack = "".join(traceback.format_tb(error.__traceback__))
            log.error("the stub crashed:\n%s%s", stack, type(error).__name__)
            self._respond_unforced(request, self._unidentified)
        entry.milliseconds = (time.perf_counter() - entry.started) * 1000
        world.record(entry)
        if entry.fault is not None:
            await BrokenConnection(entry.fault, request.response, scope, receive, send).deliver()
        else:
            for message in request.response:
                await send(message)

    async def _respond(self, request: StubRequest) -> None:
        """Forces a response by header or script, or lets the rules determine it."""
        if not request.is_registration:
            await self._apply_rules(request)
            return
        try:
            preference = self._preferences.parse(request.scope["headers"])
        except Problem as problem:
            await self._respond_with_problem(request, problem)
            return
        if preference.headers:
            request.headers = [*CORS_HEADERS, *preference.headers]
        item = None if preference.status else request.world.state.script.next()
        if delay := preference.wait + (item.delay if item else 0):
            await asyncio.sleep(delay)
        request.entry.fault = item.fault if item else None
        if preference.status is not None:
            self._force(request, await self._read(request), "prefer", preference.status.slug)
        elif item is not None and item.slug is not None:
            self._force(request, await self._read(request), "script", item.slug)
        else:
            await self._apply_rules(request)

    async def _apply_rules(self, request: StubRequest) -> None:
        """Calls the reference implementation, unless the e-mail address forces a status."""
        world, entry, scope = request.world, request.entry, request.scope
        services = await world.services()
        message, complete = await read_request(scope, request.receive, self._max_body)
        slug = self._addresses.find_slug(message) if request.is_registration else None
        if slug is not None:
            self._force(request, message, "address", slug)
            return
        faults = world.state.faults
        context = RequestContext(message, faults.apply(services), complete)
        router = _crash if faults.crash == BEFORE_ROUTING else self._router
        await dispatch(router, context, scope, request.receive, request.hold_back)
        entry.request, entry.context, entry.id = message, context, message.id
        if context.status is not None:
            entry.slug, entry.code = context.status.slug, context.status.code
            entry.envelope = context.envelope

    async def _read(self, request: StubRequest) -> Request:
        """Reads a request whose response does not depend on it, for the request log."""
        message, _ = await read_request(request.scope, request.receive, self._max_body)
        return message

    def _force(self, request: StubRequest, message: Request, how: str, slug: str) -> None:
        """Responds with the example of `slug`."""
        request.entry.request, request.entry.id = message, message.id
        request.entry.forced = how
        self._respond_with_example(request, self._examples[slug], (b"mock-forced", how.encode()))

    def _respond_unforced(self, request: StubRequest, example: Example) -> None:
        """Responds with an example whose status really occurred."""
        request.entry.id = new_request_id()
        self._respond_with_example(request, example)

    def _respond_with_example(
        self, request: StubRequest, example: Example, *headers: Header
    ) -> None:
        entry = request.entry
        entry.slug, entry.code = example.status.slug, example.status.code
        entry.envelope = example.envelope
        own = [*headers, (b"x-request-id", entry.id.encode())]
        request.response = example.messages([*own, *request.headers])

    async def _respond_with_problem(self, request: StubRequest, problem: Problem) -> None:
        entry = request.entry
        entry.request = await self._read(request)
        entry.id = entry.request.id
        entry.code, entry.envelope = problem.code, problem.details()
        await problem.send(request.hold_back, [(b"x-request-id", entry.id.encode())])


def _is_preflight(scope: Scope) -> bool:
    if scope["method"] != "OPTIONS":
        return False
    names = {name for name, _ in scope["headers"]}
    return names >= {b"origin", b"access-control-request-method"}


def _preflight_headers(headers: Iterable[Header]) -> Headers:
    """Returns headers that allow the POST announced by a preflight request."""
    requested = [value for name, value in headers if name == b"access-control-request-headers"]
    return [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", b"POST"),
        (b"access-control-max-age", b"600"),
        *((b"access-control-allow-headers", value) for value in requested),
    ]


async def _crash(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise InjectedCrash("a crash before routing was requested")
