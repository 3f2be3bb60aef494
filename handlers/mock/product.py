"""The stub, put together: worlds, layers, control plane."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from clients_register import spec
from clients_register.fixtures.exchanges import golden
from clients_register.handlers.building import Ground, grounded
from clients_register.handlers.clock import Clock, SystemClock
from clients_register.handlers.mock import control
from clients_register.handlers.mock.connection import OpenProtocol
from clients_register.handlers.mock.control.calls import Desk
from clients_register.handlers.mock.control.guard import Guard
from clients_register.handlers.mock.control.operations import ControlOperation, no_path
from clients_register.handlers.mock.control.plane import Plane
from clients_register.handlers.mock.coverage import summary
from clients_register.handlers.mock.forced import examples
from clients_register.handlers.mock.magic import Addresses
from clients_register.handlers.mock.stub import CONTROL, Stub
from clients_register.handlers.mock.watch import watching
from clients_register.handlers.mock.worlds import Worlds
from clients_register.handlers.product import Product
from clients_register.handlers.routing import routed
from clients_register.handlers.settings import Settings
from clients_register.handlers.store.files import Files
from clients_register.spec.catalogue import Catalogue
from clients_register.spec.schemas import media_type


class Renewable:
    """The stub as it is now: what it is made from may be edited while it runs."""

    def __init__(self, settings: Settings, ground: Ground, worlds: Worlds) -> None:
        self.worlds = worlds
        self.catalogue = Catalogue.of(ground.document)
        self._settings = settings
        self._ground = ground
        self._app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        await self._app(scope, receive, send)

    async def make(self) -> None:
        """Makes the stub by the document that the process goes by."""
        self._app = await self._made(self._ground.document)

    async def renew(self) -> None:
        """Reads spec and fixtures anew. Whatever is raised, all is as it was."""
        text = spec.read("openapi")
        document = spec.parsed(text)
        ground = self._ground.renewed(document, self._settings)
        app = await self._made(document)
        await self.worlds.settle(ground)
        self._app, self._ground, self.catalogue = app, ground, Catalogue.of(document)
        spec.adopt("openapi", text, document)

    async def _made(self, document: Mapping[str, Any]) -> Stub:
        # All spellings of a status can be forced, whichever one the real rules answer with.
        statuses = Catalogue.of(document)
        settings = self._settings
        (path,) = document["paths"]
        desk = Desk(
            worlds=self.worlds,
            catalogue=statuses,
            examples=examples(document, statuses),
            exchanges={slug: golden(slug) for slug in statuses.slugs},
            addresses=Addresses(settings.status_domain, statuses.slugs, media_type(document)),
            route=settings.base_path + path,
        )
        guard = Guard(
            settings.control_host, settings.control_origin, settings.control_token or None
        )
        operations = await routed(spec.load("control"), CONTROL, control, ControlOperation, no_path)
        routes = await routed(document, settings.base_path)
        return Stub(desk, routes, Plane(operations, desk, guard), settings.max_body)


@asynccontextmanager
async def stub(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Product]:
    """The stub that `settings` ask for. Raises SeedError, StoreError, SpecError."""
    async with AsyncExitStack() as closing:
        ground = await closing.enter_async_context(grounded(settings))
        files = Files(settings.data_file)
        worlds = Worlds(files, await files.worlds(), ground, clock or SystemClock())
        closing.push_async_callback(worlds.close)
        services = await worlds.default.services()
        app = Renewable(settings, ground, worlds)
        await app.make()
        if settings.watch:
            await closing.enter_async_context(watching(settings.seed, app.renew))

        yield Product(
            app,
            services,
            protocol=OpenProtocol,
            pages=(("console", f"{CONTROL}/"), ("documents", f"{CONTROL}/docs/")),
            release=worlds.end,
            farewell=lambda: summary(worlds.met(worlds.default), app.catalogue),
        )
