"""The ASGI application: reads a request, routes it, and sends an envelope, whatever happens.

A request passes through:

    read_request, dispatch, Connexion, Operation, register.register, send_response

Connexion routes by the OpenAPI document. Its own validation is not used: it ignores `text/plain`
bodies, and it responds without the envelope. The rules validate requests instead.
"""

import logging
import secrets
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import count
from types import ModuleType
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

with warnings.catch_warnings():
    # Importing Connexion triggers deprecation warnings of its dependencies.
    warnings.simplefilter("ignore")
    from connexion import ConnexionMiddleware
    from connexion.middleware.abstract import ROUTING_CONTEXT, RoutedAPI, RoutedMiddleware
    from connexion.middleware.routing import RoutingMiddleware
    from connexion.operations import AbstractOperation
    from connexion.resolver import RelativeResolver

from clients_register import spec
from clients_register.handlers import register
from clients_register.handlers.access_log import add_details
from clients_register.handlers.context import CONTEXT, Request, RequestContext, Route, Services
from clients_register.handlers.health_check import is_health_check, respond_to_health_check
from clients_register.handlers.logs import log_crash
from clients_register.handlers.models import Clock
from clients_register.handlers.resources import Product, open_services
from clients_register.handlers.responses import Response, error_response
from clients_register.handlers.rules import RuleViolation
from clients_register.handlers.settings import Settings

# How much of a body beyond the limit is still read, in bytes, so that a caller who sends everything
# before reading gets the response (Q-BODY-LIMIT). After that the connection is closed.
MAX_DRAINED = 1024 * 1024

# Paths whose operation is remembered, and the length of the longest.
MAX_CACHED_PATHS = 256
MAX_CACHED_LENGTH = 200

# Makes the ASGI application for the function that `operationId` names and for the operation as it
# is written in the document.
OperationFactory = Callable[[Any, Mapping[str, Any]], ASGIApp]

log = logging.getLogger(__name__)

# A random start makes ids unique across servers and restarts; drawing each one at random would take
# as long as the rest of handling it. All have 16 hexadecimal digits.
_ids = count(2**62 + secrets.randbits(62))


class CallerDisconnected(Exception):
    """The connection was closed before the request was complete."""


class App:
    """The reference implementation as an ASGI application."""

    def __init__(self, router: ASGIApp, services: Services, max_body: int) -> None:
        """`max_body` limits the raw body, in bytes."""
        self._router = router
        self._services = services
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a scope of type `http`."""
        if is_health_check(scope):
            await respond_to_health_check(self._services.store, send)
            return
        try:
            request, complete = await read_request(scope, receive, self._max_body)
        except CallerDisconnected:
            return
        context = RequestContext(request, self._services, complete)
        await dispatch(self._router, context, scope, receive, send)


@asynccontextmanager
async def open_reference(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Product]:
    """Opens the reference implementation; it is closed when the context ends.

    Raises SeedError, StoreError, SpecError, each with a message for the user.
    """
    async with open_services(settings, clock) as services:
        router = await build_registration_router(spec.load("openapi"), settings.base_path)
        yield Product(App(router, services, settings.max_body), services)


async def build_registration_router(document: Mapping[str, Any], base_path: str) -> ASGIApp:
    """Builds the router of the contract, to be called by `dispatch`."""
    return await build_router(document, base_path, register, Operation, _unknown_path)


async def dispatch(
    router: ASGIApp, context: RequestContext, scope: Scope, receive: Receive, send: Send
) -> None:
    """Routes a request, and responds if the router could not find an operation."""
    scope[CONTEXT] = context
    try:
        await router(scope, receive, send)
    except HTTPException:
        # The path exists, but not with this method.
        await send_response(context, _violation(context, "route_exists"), send)
    except Exception as error:  # noqa: BLE001 - a crash gets a response, too
        # Operations handle their own crashes, so the router crashed.
        where = "crash before the route was identified"
        log_crash(context.request, error, where)
        await send_response(context, _violation(context, "request_is_identified"), send)
    finally:
        status = None if context.status is None else context.status.slug
        add_details(scope, request_id=context.request.id, status=status)


class Operation:
    """One operation of the contract, called by Connexion."""

    def __init__(
        self,
        handle: Callable[[RequestContext], Awaitable[Response]],
        definition: Mapping[str, Any],
    ) -> None:
        """`definition` is the operation in the document; its `x-route` must be deployed."""
        self._handle = handle
        self._route = Route(definition["x-route"]["service"], definition["x-route"]["action"])

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Calls the function and sends its response, or that of the rule it found violated."""
        context: RequestContext = scope[CONTEXT]
        context.route = self._route
        await send_response(context, await self._respond(context), send)

    async def _respond(self, context: RequestContext) -> Response:
        try:
            return await self._call(context)
        except Exception as error:  # noqa: BLE001 - a crash gets a response, too
            log_crash(context.request, error)
            return _violation(context, "nothing_unforeseen_happens")

    async def _call(self, context: RequestContext) -> Response:
        try:
            return await self._handle(context)
        except RuleViolation as violation:
            context.violated_rule = violation.rule
            if violation.__cause__ is not None:
                log.warning("%s: %s", context.request.id, violation.__cause__)
            return error_response(context, violation)


async def build_router(
    document: Mapping[str, Any],
    base_path: str,
    functions: ModuleType,
    make_operation: OperationFactory,
    unknown_path: ASGIApp,
) -> ASGIApp:
    """Builds an ASGI application that routes by `document`, below `base_path`.

    Operations are found by name in `functions`; `unknown_path` handles requests to any other path.
    The application raises Starlette's HTTPException for a known path with an unknown method.
    """
    app = ConnexionMiddleware(
        unknown_path,
        import_name=__name__,
        middlewares=[CachedRouting, _operation_middleware(make_operation)],
        resolver=RelativeResolver(functions),
    )
    app.add_api(dict(document), base_path=base_path)
    # Connexion compiles its routes on the first call; the first request should not have to wait.
    await app({"type": "lifespan"}, _no_message, _no_message)
    router: ASGIApp = app
    return router


class CachedRouting(RoutingMiddleware):
    """Connexion's routing with a cache, and without redirects from trailing slashes.

    Connexion always finds the same operation for a method and a path. Finding it takes a fifth of
    the time of a refused request, half of that for garbage collection: it leaves copies of the
    scope in reference cycles.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(self._after_routing)
        self.router.redirect_slashes = False
        self._next = app
        # The routing context and the parameters of each path, the oldest first.
        self._cache: dict[tuple[str, str, str], tuple[Any, Any]] = {}

    @override
    def add_api(self, *args: Any, **kwargs: Any) -> None:
        super().add_api(*args, **kwargs)
        for mount in self.router.routes:
            mount.app.redirect_slashes = False

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cached = self._cache.get(_cache_key(scope)) if scope["type"] == "http" else None
        if cached is None:
            await super().__call__(scope, receive, send)
            return
        found, path_params = cached
        extensions = {**scope.get("extensions", {}), ROUTING_CONTEXT: found}
        await self._next(
            {**scope, "path_params": {**path_params}, "extensions": extensions}, receive, send
        )

    async def _after_routing(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            found = scope["extensions"][ROUTING_CONTEXT]
            if found["operation_id"] is not None and len(scope["path"]) <= MAX_CACHED_LENGTH:
                if len(self._cache) == MAX_CACHED_PATHS:
                    del self._cache[next(iter(self._cache))]
                self._cache[_cache_key(scope)] = found, scope["path_params"]
        await self._next(scope, receive, send)


def _operation_middleware(make_operation: OperationFactory) -> type[RoutedMiddleware[Any]]:
    """Returns Connexion's last middleware, which calls the operation found by routing."""

    class API(RoutedAPI[Any]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.add_paths()

        @override
        def make_operation(self, operation: AbstractOperation) -> ASGIApp:
            definition = self.specification["paths"][operation.path][operation.method]
            return make_operation(operation.function, definition)

    class Operations(RoutedMiddleware[API]):
        api_cls = API

    return Operations


def _cache_key(scope: Scope) -> tuple[str, str, str]:
    """Everything that Connexion routes by."""
    return scope["method"], scope["path"], scope.get("root_path", "")


async def _no_message(*_: object) -> Any:
    raise AssertionError("no messages are exchanged while routes are compiled")


async def read_request(scope: Scope, receive: Receive, max_body: int) -> tuple[Request, bool]:
    """Reads a request, and returns it with whether its body was read completely.

    `max_body` is in bytes. Raises CallerDisconnected.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        # Most bodies arrive in one piece.
        content: bytes = message.get("body", b"")
        body, complete = (content if len(content) <= max_body else None), True
    else:
        body, complete = await _read_chunks(message, receive, max_body)
    content_type = content_encoding = None
    for name, value in scope["headers"]:
        if name == b"content-type" and content_type is None:
            content_type = value.decode("latin-1")
        elif name == b"content-encoding" and content_encoding is None:
            content_encoding = value.decode("latin-1")
    return Request(new_request_id(), content_type or "", content_encoding or "", body), complete


async def send_response(context: RequestContext, response: Response, send: Send) -> None:
    """Sends `response` with the id of the request (Q-HEADERS), and notes it in the context."""
    context.status, context.envelope = response.status, response.envelope()
    body = msgspec.json.encode(context.envelope)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", context.request.id.encode()),
    ]
    if not context.body_was_read:
        headers.append((b"connection", b"close"))
    code = response.status.code
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def new_request_id() -> str:
    """Returns an id that no other request has, also across servers and restarts."""
    return hex(next(_ids))[2:]


async def _unknown_path(scope: Scope, _receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        context: RequestContext = scope[CONTEXT]
        await send_response(context, _violation(context, "route_exists"), send)


def _violation(context: RequestContext, rule: str) -> Response:
    context.violated_rule = rule
    return Response(context.services.statuses.for_rule(rule))


async def _read_chunks(message: Message, receive: Receive, limit: int) -> tuple[bytes | None, bool]:
    """Reads a body that starts with `message`; returns as `read_request`, None if too large."""
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise CallerDisconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        else:
            chunks.clear()
        if not message.get("more_body", False):
            return (b"".join(chunks) if size <= limit else None), True
        if size > limit + MAX_DRAINED:
            return None, False
        message = await receive()
