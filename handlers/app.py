"""The ASGI application: the spec's routing inside, and an envelope whatever happens."""

import logging

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from clients_register.handlers.answers import Answer
from clients_register.handlers.exchange import EXCHANGE, CallerGone, Exchange, read
from clients_register.handlers.logs import crash_report
from clients_register.handlers.services import Services

log = logging.getLogger(__name__)


class App:
    """The outermost layer: reads a request, has it routed, and answers what nobody else does."""

    def __init__(self, routed: ASGIApp, services: Services, max_body: int) -> None:
        """`max_body` is in bytes of raw body, white space included."""
        self._routed = routed
        self._services = services
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification; only `http` scopes are served."""
        try:
            request, complete = await read(scope, receive, self._max_body)
        except CallerGone:
            return
        exchange = Exchange(request, self._services, complete)
        try:
            scope[EXCHANGE] = exchange
            await self._routed(scope, receive, send)
        except HTTPException:
            # The router knows the path, under another method.
            await exchange.answer(send, self._broken("route_exists"))
        except Exception as error:  # noqa: BLE001 - a crash is an answer, too
            # Operations answer their own crashes, so this one struck before any was found.
            where = "crash before the route was identified"
            log.error("%s", crash_report(exchange, error, where))
            await exchange.answer(send, self._broken("request_is_identified"))

    def _broken(self, fact: str) -> Answer:
        return Answer(self._services.catalogue.broken(fact))
