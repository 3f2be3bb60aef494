"""Connexion's part: a request of the spec's path and method reaches the function it names.

Connexion routes by the document and resolves `operationId`. Its own validation is left out, because
it looks at `text/plain` bodies not at all and answers outside the envelope; the rules do that work.
"""

import logging
import warnings
from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

with warnings.catch_warnings():
    # Connexion imports what its own dependencies call deprecated; nobody here can act on that.
    warnings.simplefilter("ignore")
    from connexion import ConnexionMiddleware
    from connexion.middleware.abstract import ROUTING_CONTEXT, RoutedAPI, RoutedMiddleware
    from connexion.middleware.routing import RoutingMiddleware
    from connexion.operations import AbstractOperation
    from connexion.resolver import RelativeResolver

from clients_register.handlers import register
from clients_register.handlers.answers import Answer, refused
from clients_register.handlers.attempt import Attempt
from clients_register.handlers.exchange import EXCHANGE, Exchange
from clients_register.handlers.logs import crash_report
from clients_register.handlers.refusals import Refusal

Handle = Callable[[Attempt], Awaitable[Answer]]

# Paths that are remembered. No document has as many, but `%0A` at the end of one is overlooked.
KEPT = 100

log = logging.getLogger(__name__)


class Operation:
    """One operation of the spec; what is derived from the document is derived at start-up."""

    def __init__(self, handle: Handle, written: Mapping[str, Any]) -> None:
        """`written` is the operation in the document; its `x-route` must be deployed."""
        self._handle = handle
        self._route = (written["x-route"]["service"], written["x-route"]["action"])

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answers the exchange in `scope` by the function; a crash is an answer, too."""
        exchange: Exchange = scope[EXCHANGE]
        attempt = Attempt(exchange.request, exchange.services, self._route)
        exchange.attempt = attempt
        await exchange.answer(send, await self._outcome(attempt))

    async def _outcome(self, attempt: Attempt) -> Answer:
        try:
            return await self._judged(attempt)
        except Exception as error:  # noqa: BLE001 - a crash is an answer, too
            log.error("%s", crash_report(attempt, error))
            attempt.broken = "nothing_unforeseen_happens"
            return Answer(attempt.services.catalogue.broken(attempt.broken))

    async def _judged(self, attempt: Attempt) -> Answer:
        try:
            return await self._handle(attempt)
        except Refusal as refusal:
            attempt.broken = refusal.fact
            if refusal.__cause__ is not None:
                log.warning("%s: %s", attempt.request.id, refusal.__cause__)
            return refused(attempt, refusal)


def calling(make: Callable[[Any, Mapping[str, Any]], ASGIApp]) -> type[RoutedMiddleware[Any]]:
    """Connexion's last middleware: it calls the operation that was routed to.

    `make` gets the function that `operationId` names, and the operation as it is written.
    """

    class API(RoutedAPI[Any]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.add_paths()

        def make_operation(self, operation: AbstractOperation) -> ASGIApp:
            written = self.specification["paths"][operation.path][operation.method]
            return make(operation.function, written)

    class Operations(RoutedMiddleware[API]):
        api_cls = API

    return Operations


class ExactRouting(RoutingMiddleware):
    """Connexion's routing, without the redirect from one trailing slash to none.

    Where a path of the document has no parameters, Connexion finds the same operation each time.
    What it found is kept, up to a bound, and it is not asked again. To ask costs a fifth of what a
    refused request takes: 9 microseconds of 48, and 7 of the garbage collector, to which its copies
    of the scope are left in circles.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(self._routed)
        self.router.redirect_slashes = False
        self._next = app
        self._found: dict[tuple[str, str, str], Any] = {}

    def add_api(self, *args: Any, **kwargs: Any) -> None:
        """See `SpecMiddleware`."""
        super().add_api(*args, **kwargs)
        for mount in self.router.routes:
            mount.app.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `RoutingMiddleware`."""
        found = self._found.get(_asked(scope)) if scope["type"] == "http" else None
        if found is None:
            await super().__call__(scope, receive, send)
            return
        extensions = scope.setdefault("extensions", {})
        await self._next(
            {**scope, "path_params": {}, "extensions": {**extensions, ROUTING_CONTEXT: found}},
            receive,
            send,
        )

    async def _routed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What Connexion calls once it knows the operation, or that there is none."""
        if scope["type"] == "http" and not scope["path_params"]:
            found = scope["extensions"][ROUTING_CONTEXT]
            if found["operation_id"] is not None and len(self._found) < KEPT:
                self._found[_asked(scope)] = found
        await self._next(scope, receive, send)


def _asked(scope: Scope) -> tuple[str, str, str]:
    """All of a request that Connexion routes by."""
    return scope["method"], scope["path"], scope.get("root_path", "")


async def no_route(scope: Scope, _receive: Receive, send: Send) -> None:
    """What Connexion calls where no operation fits the path."""
    if scope["type"] == "http":
        exchange: Exchange = scope[EXCHANGE]
        await exchange.answer(send, Answer(exchange.services.catalogue.broken("route_exists")))


async def routed(
    document: Mapping[str, Any],
    base_path: str,
    root: ModuleType = register,
    make: Callable[[Any, Mapping[str, Any]], ASGIApp] = Operation,
    otherwise: ASGIApp = no_route,
) -> ConnexionMiddleware:
    """An ASGI application that routes by `document` under `base_path` to the functions in `root`.

    `make` makes operations of them, see `calling`; `otherwise` answers where no path fits. The
    application raises Starlette's HTTPException where the path fits and the method does not.
    """
    app = ConnexionMiddleware(
        otherwise,
        import_name=__name__,
        middlewares=[ExactRouting, calling(make)],
        resolver=RelativeResolver(root),
    )
    app.add_api(dict(document), base_path=base_path)
    # Connexion compiles its routes with the first call; this one keeps it from being a request.
    await app({"type": "lifespan"}, _no_message, _no_message)
    return app


async def _no_message(*_: object) -> Any:
    raise AssertionError("nothing is sent or received while routes are compiled")
