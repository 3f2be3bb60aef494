"""What `serve` serves: the plain reference, or the stub around it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from clients_register import spec
from clients_register.handlers.app import App
from clients_register.handlers.building import opened
from clients_register.handlers.clock import Clock
from clients_register.handlers.protocol import Protocol
from clients_register.handlers.routing import routed
from clients_register.handlers.services import Services
from clients_register.handlers.settings import Settings


@dataclass(frozen=True, slots=True)
class Product:
    """An application, and what whoever runs it wants to know.

    `services` serve the plain base URL. `protocol` is uvicorn's for HTTP, `pages` what a person may
    open, name -> path, `farewell` what there is to say at the end; `release` answers callers who
    wait for something to happen, so that the server can stop.
    """

    app: ASGIApp
    services: Services
    protocol: type[Protocol] = Protocol
    pages: tuple[tuple[str, str], ...] = ()
    farewell: Callable[[], str] = lambda: ""
    release: Callable[[], None] = lambda: None


def made(settings: Settings) -> AbstractAsyncContextManager[Product]:
    """The product that `settings` ask for, closed when the context ends.

    Raises SeedError, StoreError, each with a message for people.
    """
    if settings.reference:
        return reference(settings)
    # The reference knows nothing of the stub, and runs without it.
    from clients_register.handlers.mock.product import stub

    return stub(settings)


@asynccontextmanager
async def reference(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Product]:
    """The route by its rules, and nothing else. Raises as `made` does."""
    async with opened(settings, clock) as services:
        routes = await routed(spec.load("openapi"), settings.base_path)
        yield Product(App(routes, services, settings.max_body), services)
