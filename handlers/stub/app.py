"""The stub as an ASGI application: one pipeline around the reference implementation."""

import logging
import time
import traceback
from typing import TYPE_CHECKING

from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clients_register.handlers.access_log import add_details
from clients_register.handlers.app import (
    CallerDisconnected,
    dispatch,
    read_request,
)
from clients_register.handlers.context import Request, RequestContext
from clients_register.handlers.health_check import is_health_check, respond_to_health_check
from clients_register.handlers.http.connection import connection_of
from clients_register.handlers.http.parser import Header
from clients_register.handlers.logs import RequestedCrash, store_errors
from clients_register.handlers.settings import CONTROL_PATH
from clients_register.handlers.store.base import StoreError
from clients_register.handlers.stub.control.call import StubParts
from clients_register.handlers.stub.control.plane import ControlPlane
from clients_register.handlers.stub.cors import Cors, is_preflight
from clients_register.handlers.stub.faults import BEFORE_ROUTING, BrokenConnection
from clients_register.handlers.stub.forcing import Example, PreferenceParser
from clients_register.handlers.stub.paths import (
    explain_path,
    is_below_wrong_base,
    path_prefix,
    split_path,
)
from clients_register.handlers.stub.problems import (
    Headers,
    Problem,
    response_messages,
)
from clients_register.handlers.stub.traffic import LogEntry
from clients_register.handlers.stub.worlds import World, Worlds

if TYPE_CHECKING:
    # Imports an HTTP client, which is slow and otherwise not needed.
    from clients_register.handlers.stub.forwarding import Forwarding

log = logging.getLogger(__name__)


class StubRequest(Struct):
    """A request to a world, and the response it gets.

    `complete` says whether all of the body was read. The response is held back until it is
    complete, because it is recorded before it is sent. Added to it are the `permissions`, which say
    what pages may read it, and `headers`.
    """

    world: World
    entry: LogEntry
    message: Request
    complete: bool
    scope: Scope
    receive: Receive
    permissions: Headers
    is_registration: bool
    headers: Headers = []
    response: list[Message] = []

    async def hold_back(self, message: Message) -> None:
        """Takes the place of ASGI's `send`."""
        if message["type"] == "http.response.start":
            headers = [*message["headers"], *self.permissions, *self.headers]
            message = {**message, "headers": headers}
        self.response.append(message)


class Stub:
    """The pipeline. The docstring of the package names its steps."""

    def __init__(
        self,
        worlds: Worlds,
        max_body: int,
        cors: Cors,
        forwarding: "Forwarding | None" = None,
    ) -> None:
        """`configure` has to be called before the first request.

        `max_body` is in bytes. With `forwarding`, other paths than the route are forwarded.
        """
        self.worlds = worlds
        self._max_body = max_body
        self._cors = cors
        self._forwarding = forwarding

    def configure(self, parts: StubParts, router: ASGIApp, control: ControlPlane) -> None:
        """Sets everything that is built from the document; `router` is that of the contract."""
        self._router = router
        self._control = control
        self._examples = parts.examples
        self._preferences = PreferenceParser(
            {slug: example.status for slug, example in parts.examples.items()}
        )
        self._addresses = parts.addresses
        self._base, self._route = parts.base, parts.route
        statuses = parts.statuses
        self._unidentified = parts.examples[statuses.for_rule("request_is_identified").slug]
        self._crashed = parts.examples[statuses.for_rule("nothing_unforeseen_happens").slug]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a scope of type `http`."""
        if is_health_check(scope):
            services = await self.worlds.default.services()
            await respond_to_health_check(services.store, send)
            return
        headers = self._cors.headers(scope["headers"])
        try:
            name, path, raw_path = split_path(scope["path"], scope["raw_path"])
            if path != scope["path"]:
                scope = {**scope, "path": path, "raw_path": raw_path}
            is_route = path == self._route
            if not is_route and f"{path}/".startswith(f"{CONTROL_PATH}/"):
                await self._control(name, scope, receive, send)
            elif is_route and is_preflight(scope):
                allowed = self._cors.preflight_headers(scope, b"POST")
                for message in response_messages(204, allowed):
                    await send(message)
            elif self._forwarding is not None and self._forwarding.takes(scope, self._route):
                await self._forwarding(name, scope, receive, send)
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
                entry = LogEntry.begin(message.id, now, scope)
                entry.request = message
                if not is_registration:
                    entry.misplaced = self._explain_path(entry)
                request = StubRequest(
                    world, entry, message, complete, scope, receive, headers, is_registration
                )
                await self._handle(request)
                entry.response_headers = request.response[0]["headers"]
                entry.milliseconds = (time.perf_counter() - started) * 1000
                entry.client_left = connection is not None and connection.departure.is_set()
                if is_recorded:
                    world.record(entry)
                add_details(
                    scope,
                    request_id=entry.id,
                    status=entry.slug,
                    forced=entry.forced,
                    fault=entry.fault,
                    forwarded_to=entry.forwarded_to,
                    expected=self._find_expected(name, entry),
                )
                await self._deliver(request, send)
            finally:
                world.end_request(connection)
        except CallerDisconnected:
            return

    def _explain_path(self, entry: LogEntry) -> str:
        return explain_path(entry.method, entry.path, self._base, self._route)

    def _find_expected(self, world: str, entry: LogEntry) -> str | None:
        """Returns the path of the route in `world` if the caller only has a wrong base URL."""
        if not is_below_wrong_base(entry.path, self._base, self._route):
            return None
        return path_prefix(world) + self._route

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
        request.headers = [*preference.headers]
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
        """Calls the reference implementation or an upstream, unless an address forces a status."""
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
        if (
            self._forwarding is not None
            and request.is_registration
            and self._forwarding.takes_registration(message, faults)
        ):
            await self._forward_registration(request, self._forwarding)
            return
        context = RequestContext(message, faults.apply(services), request.complete)
        router = _crash if faults.crash == BEFORE_ROUTING else self._router
        await dispatch(router, context, request.scope, request.receive, request.hold_back)
        entry.context = context
        if context.status is not None:
            entry.slug, entry.code = context.status.slug, context.status.code
            entry.envelope = context.envelope

    async def _forward_registration(self, request: StubRequest, forwarding: "Forwarding") -> None:
        try:
            response = await forwarding.register(
                request.entry, request.message, request.scope, request.world, self._examples
            )
        except Problem as problem:
            await self._respond_with_problem(request, problem)
            return
        # Those of the response decide.
        request.permissions = []
        for message in response:
            await request.hold_back(message)

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
            *headers,
            (b"x-request-id", entry.id.encode()),
            *request.permissions,
            *request.headers,
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


async def _crash(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RequestedCrash("requested by the faults of the world")
