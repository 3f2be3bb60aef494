"""Builds the stub, and rebuilds it when its files change (`--watch`)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.types import ASGIApp

from clients_register import spec
from clients_register.fixtures.exchanges import golden
from clients_register.handlers.app import build_registration_router
from clients_register.handlers.clock import Clock, SystemClock
from clients_register.handlers.resources import Product, SharedResources, load_resources
from clients_register.handlers.settings import Settings
from clients_register.handlers.stub.app import Stub
from clients_register.handlers.stub.control.call import StubParts
from clients_register.handlers.stub.control.guard import Guard
from clients_register.handlers.stub.control.plane import PREFIX, ControlPlane, build_control_router
from clients_register.handlers.stub.forcing import MagicAddresses, load_examples
from clients_register.handlers.stub.traffic import summarize
from clients_register.handlers.stub.watch import watching
from clients_register.handlers.stub.world_files import WorldFiles
from clients_register.handlers.stub.worlds import WorldLimits, Worlds
from clients_register.spec.schemas import media_type
from clients_register.spec.statuses import StatusTable


@asynccontextmanager
async def open_stub(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Product]:
    """Opens the stub; it is closed when the context ends.

    Raises SeedError, StoreError, SpecError, each with a message for the user.
    """
    async with AsyncExitStack() as stack:
        resources = await stack.enter_async_context(load_resources(settings))
        files = WorldFiles(settings.data_file)
        worlds = Worlds(
            files,
            await files.list_names(),
            resources,
            clock or SystemClock(),
            WorldLimits(settings.max_worlds, settings.world_idle_timeout),
        )
        stack.push_async_callback(worlds.close)
        services = await worlds.default.services()
        builder = StubBuilder(settings, resources, worlds)
        await builder.build()
        if settings.watch:
            await stack.enter_async_context(watching(settings.seed, builder.reload))

        yield Product(
            builder.stub,
            services,
            pages=(("console", f"{PREFIX}/"), ("documents", f"{PREFIX}/docs/")),
            release_waiters=worlds.release_waiters,
            exit_message=lambda: summarize(worlds.coverage_of(worlds.default), builder.statuses),
        )


class StubBuilder:
    """Builds the stub, and rebuilds it from edited files while it runs."""

    def __init__(self, settings: Settings, resources: SharedResources, worlds: Worlds) -> None:
        """`build` has to be called before the first request."""
        self.stub = Stub(worlds, settings.max_body, settings.cors_origin)
        self.statuses = StatusTable.from_document(resources.document)
        self._settings = settings
        self._resources = resources

    async def build(self) -> None:
        """Builds the stub from the loaded document."""
        self.stub.configure(*await self._build(self._resources.document))

    async def reload(self) -> None:
        """Loads spec and fixtures again. If this raises anything, nothing has changed."""
        text = spec.read("openapi")
        document = spec.parse(text)
        resources = self._resources.reload(document, self._settings)
        parts, router, control = await self._build(document)
        await self.stub.worlds.switch(resources)
        self.stub.configure(parts, router, control)
        self._resources = resources
        self.statuses = parts.statuses
        spec.replace("openapi", text, document)

    async def _build(self, document: Mapping[str, Any]) -> tuple[StubParts, ASGIApp, ControlPlane]:
        settings = self._settings
        # Unlike the table of the services: every spelling can be forced.
        statuses = StatusTable.from_document(document)
        (path,) = document["paths"]
        parts = StubParts(
            worlds=self.stub.worlds,
            statuses=statuses,
            examples=load_examples(document, statuses),
            exchanges={slug: golden(slug) for slug in statuses.slugs},
            addresses=MagicAddresses(settings.status_domain, statuses.slugs, media_type(document)),
            route=settings.base_path + path,
        )
        guard = Guard(
            settings.control_host, settings.control_origin, settings.control_token or None
        )
        control = ControlPlane(await build_control_router(), parts, guard)
        router = await build_registration_router(document, settings.base_path)
        return parts, router, control
