"""The stub as an ASGI application: one pipeline around the reference implementation."""

import logging
import time
import traceback
from collections.abc import Iterable, Sequence

from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clients_register.handlers.app import (
    CallerDisconnected,
    dispatch,
    read_request,
)
from clients_register.handlers.context import Request, RequestContext
from clients_register.handlers.http.connection import connection_of
from clients_register.handlers.http.parser import Header
from clients_register.handlers.logs import RequestedCrash, store_errors
from clients_register.handlers.settings import CONTROL_PATH
from clients_register.handlers.store.base import StoreError
from clients_register.handlers.stub.control.call import StubParts
from clients_register.handlers.stub.control.plane import ControlPlane
from clients_register.handlers.stub.faults import BEFORE_ROUTING, BrokenConnection
from clients_register.handlers.stub.forcing import Example, PreferenceParser
from clients_register.handlers.stub.problems import (
    Headers,
    Problem,
    response_messages,
)
from clients_register.handlers.stub.traffic import LogEntry
from clients_register.handlers.stub.worlds import World, Worlds, split_path

log = logging.getLogger(__name__)

_EXPOSED_HEADERS = (
    b"access-control-expose-headers",
    b"X-Request-Id, Mock-Forced, Mock-Error, Preference-Applied",
)


class Cors:
    """Headers that let pages call the route: any without credentials, some with (Fetch, CORS)."""

    def __init__(self, origins: Iterable[str]) -> None:
        """`origins` are those whose pages may send credentials."""
        self._origins = frozenset(origin.encode() for origin in origins)
        any_origin = (b"access-control-allow-origin", b"*")
        self._public: Headers = [any_origin, _EXPOSED_HEADERS]

    def headers(self, request_headers: Iterable[Header]) -> Headers:
        """Returns the headers of a response."""
        if not self._origins:
            return self._public
        vary = (b"vary", b"Origin")
        for name, value in request_headers:
            if name == b"origin" and value.lower() in self._origins:
                return [
                    (b"access-control-allow-origin", value),
                    (b"access-control-allow-credentials", b"true"),
                    _EXPOSED_HEADERS,
                    vary,
                ]
        return [*self._public, vary]

    def preflight_headers(self, request_headers: Sequence[Header]) -> Headers:
        """Returns the headers that allow the POST announced by a preflight request."""
        requested = [
            value for name, value in request_headers if name == b"access-control-request-headers"
        ]
        return [
            *self.headers(request_headers),
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-max-age", b"600"),
            *((b"access-control-allow-headers", value) for value in requested),
        ]


class StubRequest(Struct):
    """A request to a world, and the response it gets.

    `complete` says whether all of the body was read. The response is held back until it is
    complete, because it is recorded before it is sent. `headers` are added to it.
    """

    world: World
    entry: LogEntry
    message: Request
    complete: bool
    scope: Scope
    receive: Receive
    headers: Headers
    is_registration: bool
    response: list[Message] = []

    async def hold_back(self, message: Message) -> None:
        """Takes the place of ASGI's `send`."""
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *self.headers]}
        self.response.append(message)


class Stub:
    """The pipeline. The docstring of the package names its steps."""

    def __init__(self, worlds: Worlds, max_body: int, cors_origins: Iterable[str] = ()) -> None:
        """`max_body` is in bytes. `configure` has to be called before the first request."""
        self.worlds = worlds
        self._max_body = max_body
        self._cors = Cors(cors_origins)

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
        headers = self._cors.headers(scope["headers"])
        try:
            name, path = split_path(scope["path"])
            if path != scope["path"]:
                scope = {**scope, "path": path, "raw_path": path.encode()}
            if path != self._route and f"{path}/".startswith(f"{CONTROL_PATH}/"):
                await self._control(name, scope, receive, send)
            elif scope["method"] == "OPTIONS" and path == self._route and _is_preflight(scope):
                allowed = self._cors.preflight_headers(scope["headers"])
                for message in response_messages(204, allowed):
                    await send(message)
            else:
                await self._serve(name, scope, receive, send, headers)
        except Problem as problem:
            await problem.send(send, headers)

    async def _serve(
        self, name: str, scope: Scope, receive: Receive, send: Send, headers: Headers
    ) -> None:
        """Responds to a request of the API in the world `name`. Raises Problem.

        Only a registration creates a world. Anything else in a world that does not exist gets the
        response it would get in any world, and is not recorded.
        """
        is_registration = scope["path"] == self._route and scope["method"] == "POST"
        started, connection = time.perf_counter(), connection_of(scope)
        world = self.worlds.find(name)
        try:
            # A request that never arrives creates no world.
            early = None if world else await read_request(scope, receive, self._max_body)
            is_recorded = is_registration or world is not None
            world = world or self.worlds.find(name)
            if world is None:
                world = self.worlds.create(name) if is_registration else self.worlds.default
            world.begin_request(connection)
            try:
                message, complete = early or await read_request(scope, receive, self._max_body)
                now = world.state.clock.now()
                entry = LogEntry(message.id, now, scope["method"], scope["path"])
                entry.request = message
                request = StubRequest(
                    world, entry, message, complete, scope, receive, headers, is_registration
                )
                await self._handle(request)
                entry.milliseconds = (time.perf_counter() - started) * 1000
                entry.client_left = connection is not None and connection.client_has_left
                if is_recorded:
                    world.record(entry)
                await self._deliver(request, send)
            finally:
                world.end_request(connection)
        except CallerDisconnected:
            return

    async def _handle(self, request: StubRequest) -> None:
        """Determines the response, whatever happens."""
        try:
            await self._respond(request)
        except StoreError as error:
            crash = self._crashed if request.is_registration else self._unidentified
            self._respond_with_example(request, crash)
            store_errors.error(
                f"{request.entry.id}: crash in the world {request.world.name}", error
            )
        except CallerDisconnected:
            raise
        except Exception as error:  # noqa: BLE001 - a crash gets a response, too
            # The stack only: the message of an exception may quote the request.
            stack = "".join(traceback.format_tb(error.__traceback__))
            log.error("the stub crashed:\n%s%s", stack, type(error).__name__)
            self._respond_with_example(request, self._unidentified)

    async def _respond(self, request: StubRequest) -> None:
        """Forces a response by header or script, or lets the rules determine it.

        Raises CallerDisconnected if the world ends during a delay.
        """
        if not request.is_registration:
            await self._apply_rules(request)
            return
        try:
            preference = self._preferences.parse(request.scope["headers"])
        except Problem as problem:
            await self._respond_with_problem(request, problem)
            return
        if preference.headers:
            request.headers = [*request.headers, *preference.headers]
        item = None if preference.status else request.world.state.script.next()
        if item is not None:
            request.entry.script, request.entry.fault = item.effects(), item.fault
        delay = preference.wait + (item.delay if item else 0)
        if delay and not await request.world.sleep(delay):
            raise CallerDisconnected
        if preference.status is not None:
            self._force(request, "prefer", preference.status.slug)
        elif item is not None and item.slug is not None:
            self._force(request, "script", item.slug)
        else:
            await self._apply_rules(request)

    async def _apply_rules(self, request: StubRequest) -> None:
        """Calls the reference implementation, unless the e-mail address forces a status."""
        world, entry, message = request.world, request.entry, request.message
        services = await world.services()
        try:
            slug = self._addresses.find_slug(message) if request.is_registration else None
        except Problem as problem:
            await self._respond_with_problem(request, problem)
            return
        if slug is not None:
            self._force(request, "address", slug)
            return
        faults = world.state.faults
        context = RequestContext(message, faults.apply(services), request.complete)
        router = _crash if faults.crash == BEFORE_ROUTING else self._router
        await dispatch(router, context, request.scope, request.receive, request.hold_back)
        entry.context = context
        if context.status is not None:
            entry.slug, entry.code = context.status.slug, context.status.code
            entry.envelope = context.envelope

    def _force(self, request: StubRequest, how: str, slug: str) -> None:
        """Responds with the example of `slug`."""
        request.entry.forced = how
        self._respond_with_example(request, self._examples[slug], (b"mock-forced", how.encode()))

    def _respond_with_example(
        self, request: StubRequest, example: Example, *headers: Header
    ) -> None:
        entry, status = request.entry, example.status
        entry.slug, entry.code, entry.envelope = status.slug, status.code, example.envelope
        request.response = example.messages(
            *headers, (b"x-request-id", entry.id.encode()), *request.headers
        )

    async def _respond_with_problem(self, request: StubRequest, problem: Problem) -> None:
        entry = request.entry
        entry.code, entry.envelope = problem.code, problem.details()
        await problem.send(request.hold_back, [(b"x-request-id", entry.id.encode())])

    async def _deliver(self, request: StubRequest, send: Send) -> None:
        fault = request.entry.fault
        if fault is not None:
            await BrokenConnection(
                fault, request.response, request.scope, request.receive, send
            ).deliver()
            return
        for message in request.response:
            await send(message)


def _is_preflight(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return names >= {b"origin", b"access-control-request-method"}


async def _crash(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RequestedCrash("requested by the faults of the world")
