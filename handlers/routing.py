"""Connexion's part: a request of the spec's path and method reaches the function it names.

Connexion routes by the document and resolves `operationId`. Its own validation is left out, because
it looks at `text/plain` bodies not at all and answers outside the envelope; the rules do that work.
"""

import logging
import warnings
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive, Scope, Send

with warnings.catch_warnings():
    # Connexion imports what its own dependencies call deprecated; nobody here can act on that.
    warnings.simplefilter("ignore")
    from connexion import ConnexionMiddleware
    from connexion.middleware.abstract import RoutedAPI, RoutedMiddleware
    from connexion.middleware.routing import RoutingMiddleware
    from connexion.operations import AbstractOperation
    from connexion.resolver import RelativeResolver

from clients_register.handlers import register
from clients_register.handlers.answers import Answer, refused
from clients_register.handlers.attempt import Attempt
from clients_register.handlers.exchange import EXCHANGE, Exchange
from clients_register.handlers.logs import crash_report
from clients_register.handlers.refusals import Refusal

log = logging.getLogger(__name__)


class Operation:
    """One operation of the spec; what is derived from the document is derived at start-up."""

    def __init__(self, operation: AbstractOperation, route: Mapping[str, str]) -> None:
        """`route` is the operation's `x-route`: the records that must be deployed."""
        self._handle = operation.function
        self._route = (route["service"], route["action"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the exchange in `scope` by the function; a crash is an answer, too."""
        exchange: Exchange = scope[EXCHANGE]
        attempt = Attempt(exchange.request, exchange.services, self._route)
        await exchange.answer(send, await self._outcome(attempt))

    async def _outcome(self, attempt: Attempt) -> Answer:
        try:
            answer: Answer = await self._handle(attempt)
        except Refusal as refusal:
            if refusal.__cause__ is not None:
                log.warning("%s: %s", attempt.request.id, refusal.__cause__)
            return refused(attempt, refusal)
        except Exception as error:  # noqa: BLE001 - a crash is an answer, too
            log.error("%s", crash_report(attempt, error))
            return Answer(attempt.services.catalogue.broken("nothing_unforeseen_happens"))
        return answer


class OperationsAPI(RoutedAPI[Operation]):
    """The operations of one document."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_paths()

    def make_operation(self, operation: AbstractOperation) -> Operation:
        """See `RoutedAPI`."""
        written = self.specification["paths"][operation.path][operation.method]
        return Operation(operation, written["x-route"])


class Operations(RoutedMiddleware[OperationsAPI]):
    """Connexion's last middleware: it calls the operation that was routed to."""

    api_cls = OperationsAPI


class ExactRouting(RoutingMiddleware):
    """Connexion's routing, without the redirect from one trailing slash to none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.router.redirect_slashes = False

    def add_api(self, *args: Any, **kwargs: Any) -> None:
        """See `SpecMiddleware`."""
        super().add_api(*args, **kwargs)
        for mount in self.router.routes:
            mount.app.redirect_slashes = False


async def no_route(scope: Scope, receive: Receive, send: Send) -> None:
    """What Connexion calls where no operation fits the path."""
    if scope["type"] == "http":
        exchange: Exchange = scope[EXCHANGE]
        await exchange.answer(send, Answer(exchange.services.catalogue.broken("route_exists")))


async def routed(document: Mapping[str, Any], base_path: str) -> ConnexionMiddleware:
    """An ASGI application that routes by `document` under `base_path` to `handlers.register`.

    It raises Starlette's HTTPException where the path fits and the method does not.
    """
    app = ConnexionMiddleware(
        no_route,
        import_name=__name__,
        middlewares=[ExactRouting, Operations],
        resolver=RelativeResolver(register),
    )
    app.add_api(dict(document), base_path=base_path)
    # Connexion compiles its routes with the first call; this one keeps it from being a request.
    await app({"type": "lifespan"}, _no_message, _no_message)
    return app


async def _no_message(*_: object) -> Any:
    raise AssertionError("nothing is sent or received while routes are compiled")
