"""Builds the stub, and rebuilds it when its files change (`--watch`)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files as resource_files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from starlette.types import ASGIApp

from clients_register import fixtures, spec
from clients_register.fixtures import exchanges
from clients_register.fixtures.exchanges import golden
from clients_register.handlers.app import build_registration_router
from clients_register.handlers.log_output import report_event
from clients_register.handlers.models import Clock, SystemClock
from clients_register.handlers.resources import (
    Product,
    SharedResources,
    disk_for,
    load_resources,
)
from clients_register.handlers.seed import SeedError
from clients_register.handlers.settings import Settings
from clients_register.handlers.store.base import StoreError
from clients_register.handlers.stub.app import Stub
from clients_register.handlers.stub.control.call import StubParts
from clients_register.handlers.stub.control.guard import Guard
from clients_register.handlers.stub.control.plane import PREFIX, ControlPlane, build_control_router
from clients_register.handlers.stub.cors import Cors
from clients_register.handlers.stub.forcing import MagicAddresses, load_examples
from clients_register.handlers.stub.traffic import summarize
from clients_register.handlers.stub.world_files import WorldFiles
from clients_register.handlers.stub.worlds import WorldLimits, Worlds
from clients_register.spec.schemas import media_type
from clients_register.spec.statuses import SpecError, StatusTable

if TYPE_CHECKING:
    from clients_register.handlers.stub.forwarding import Forwarding

# Seconds between two comparisons of files (`--watch`). A change is handled once it is found twice,
# because editors write several times.
INTERVAL = 0.2

# Device, inode, size and time of a file, which tell its versions apart; None if there is none.
FileVersion = tuple[int, int, int, int] | None


@asynccontextmanager
async def open_stub(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Product]:
    """Opens the stub; it is closed when the context ends.

    Raises SeedError, StoreError, SpecError, each with a message for the user.
    """
    async with AsyncExitStack() as stack:
        resources = await stack.enter_async_context(load_resources(settings))
        files = WorldFiles(settings.data_file, disk_for(settings), fresh=settings.fresh)
        if settings.fresh:
            await files.erase_named()
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
        stack.push_async_callback(builder.close)
        await builder.build()
        if settings.watch:
            await stack.enter_async_context(watching(settings.seed, builder.reload))

        yield Product(
            builder.stub,
            services,
            pages=(("console", f"{PREFIX}/"), ("documents", f"{PREFIX}/docs/")),
            release_waiters=builder.release_waiters,
            exit_message=lambda: summarize(worlds.coverage_of(worlds.default), builder.statuses),
        )


class StubBuilder:
    """Builds the stub, and rebuilds it from edited files while it runs."""

    def __init__(self, settings: Settings, resources: SharedResources, worlds: Worlds) -> None:
        """`build` has to be called before the first request."""
        self._guard = Guard(
            settings.control_host, settings.control_origin, settings.control_token or None
        )
        cors = Cors(settings.cors_origin)
        self._forwarding = _build_forwarding(settings, worlds, self._guard, cors)
        self.stub = Stub(worlds, settings.max_body, cors, self._forwarding)
        self.statuses = StatusTable.from_document(resources.document)
        self._settings = settings
        self._resources = resources

    async def build(self) -> None:
        """Builds the stub from the loaded document."""
        self.stub.configure(*await self._build(self._resources.document))

    def release_waiters(self) -> None:
        """Ends what could last as long as its client likes, because the server stops."""
        self.stub.worlds.release_waiters()
        if self._forwarding is not None:
            self._forwarding.end_streams()

    async def close(self) -> None:
        """Closes the connections to the upstream."""
        if self._forwarding is not None:
            await self._forwarding.close()

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
            base=settings.base_path,
            route=settings.base_path + path,
        )
        control = ControlPlane(await build_control_router(), parts, self._guard)
        router = await build_registration_router(document, settings.base_path)
        return parts, router, control


def _build_forwarding(
    settings: Settings, worlds: Worlds, guard: Guard, cors: Cors
) -> "Forwarding | None":
    if not settings.upstream:
        return None
    # Imports an HTTP client, which is slow and otherwise not needed.
    from clients_register.handlers.stub.forwarding import Forwarding

    return Forwarding(settings, worlds, guard, cors)


@asynccontextmanager
async def watching(seed: Path | None, reload: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Calls `reload` after every change of the files, until the context ends."""
    seed = _absolute(seed)
    task = asyncio.create_task(_watch(seed, reload, find_versions(seed)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def find_versions(seed: Path | None) -> Mapping[Path, FileVersion]:
    """Returns the versions of all files of the spec and the fixtures, and of the `seed`."""
    folders = [Path(str(resource_files(package))) for package in (spec, fixtures, exchanges)]
    paths = [path for folder in folders for path in folder.glob("*.yaml")]
    return {path: _version(path) for path in [*paths, *([] if seed is None else [seed])]}


async def _watch(
    seed: Path | None, reload: Callable[[], Awaitable[None]], loaded: Mapping[Path, FileVersion]
) -> None:
    previous = loaded
    while True:
        await asyncio.sleep(INTERVAL)
        found = await asyncio.to_thread(find_versions, seed)
        if found == previous and found != loaded:
            changed = {
                path.name for path in {*found, *loaded} if found.get(path) != loaded.get(path)
            }
            loaded = found
            await _reload(reload, ", ".join(sorted(changed)))
        previous = found


async def _reload(reload: Callable[[], Awaitable[None]], names: str) -> None:
    try:
        await reload()
    except Exception as error:  # noqa: BLE001 - an edit can break anything
        message = f"{names}: not reloaded, the previous version stays: {_reason(error)}"
        report_event(message, level=logging.WARNING)
    else:
        report_event(f"{names}: reloaded")


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _version(path: Path) -> FileVersion:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _reason(error: Exception) -> str:
    """Returns the message of `error` in one line."""
    message = " ".join(str(error).replace('in "<unicode string>", ', "").split())
    is_expected = isinstance(error, SeedError | StoreError | SpecError | yaml.YAMLError)
    return message if is_expected else f"{type(error).__name__}: {message}"
