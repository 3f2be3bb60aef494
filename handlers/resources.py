"""The resources of a server, opened as the settings say and closed at the end.

`SharedResources` are loaded once per server: the spec, the seed, the password hasher and the mail
transport. With a store and a clock they make up the `Services` that process requests; a reference
server has one set of them, the stub one per world.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import ASGIApp

from clients_register import spec
from clients_register.handlers.context import Services
from clients_register.handlers.mail import Mailer, Outbox, Transport
from clients_register.handlers.models import Clock, SystemClock
from clients_register.handlers.passwords import PasswordHasher
from clients_register.handlers.rules import check_statuses
from clients_register.handlers.seed import Seed, load_seed
from clients_register.handlers.sessions import Sessions
from clients_register.handlers.settings import Settings
from clients_register.handlers.store.base import Store, StoreError
from clients_register.handlers.store.journaled.disk import LOCAL, Disk
from clients_register.handlers.store.journaled.no_disk import NO_DISK
from clients_register.handlers.store.postgres.address import DatabaseAddress
from clients_register.handlers.store.tinydb import TinyDBStore
from clients_register.spec.schemas import media_type, parameters, severity, views
from clients_register.spec.statuses import StatusTable


@dataclass(frozen=True, slots=True)
class SharedResources:
    """Resources shared by all stores of a server."""

    document: Mapping[str, Any]
    statuses: StatusTable
    seed: Seed
    passwords: PasswordHasher
    transport: Transport
    mail_from: str

    def build_services(
        self,
        store: Store,
        clock: Clock,
        wrap_transport: Callable[[Transport], Transport] = lambda transport: transport,
    ) -> Services:
        """Builds the services for one store. `wrap_transport` may alter how mails are sent."""
        registry = self.seed.registry()
        return Services(
            statuses=self.statuses,
            media_type=media_type(self.document),
            parameters=parameters(self.document),
            views=views(self.document),
            severity=severity(self.document),
            registry=registry,
            store=store,
            passwords=self.passwords,
            sessions=Sessions(store, clock, registry),
            clock=clock,
            mailer=Mailer(wrap_transport(self.transport), self.mail_from, clock),
        )

    def reload(self, document: Mapping[str, Any], settings: Settings) -> "SharedResources":
        """Returns a copy with another `document` and a newly read seed.

        Raises SeedError, SpecError.
        """
        statuses, loaded_seed = _load_spec_and_seed(document, settings)
        return replace(self, document=document, statuses=statuses, seed=loaded_seed)


@dataclass(frozen=True, slots=True)
class Product:
    """An ASGI application, and what its server needs to know about it.

    `services` are those of the plain base URL, `pages` maps names to the paths of pages for people.
    `exit_message` returns what to print at the end. `release_waiters` makes long-polling requests
    return, so that the server can stop.
    """

    app: ASGIApp
    services: Services
    pages: tuple[tuple[str, str], ...] = ()
    exit_message: Callable[[], str] = lambda: ""
    release_waiters: Callable[[], None] = lambda: None


@asynccontextmanager
async def load_resources(settings: Settings) -> AsyncIterator[SharedResources]:
    """Loads what the settings ask for, and closes it when the context ends.

    Raises SeedError, SpecError.
    """
    document = spec.load("openapi")
    statuses, loaded_seed = _load_spec_and_seed(document, settings)
    async with AsyncExitStack() as stack:
        passwords = PasswordHasher(settings.cost, settings.workers)
        stack.push_async_callback(passwords.close)
        transport: Transport = Outbox()
        if settings.mail == "mandrill":
            # Imports httpx2, which is slow and otherwise not needed.
            from clients_register.handlers.mandrill import Mandrill

            transport = mandrill = Mandrill(
                settings.mandrill_url, settings.mandrill_key, settings.mandrill_timeout
            )
            stack.push_async_callback(mandrill.close)
        yield SharedResources(
            document, statuses, loaded_seed, passwords, transport, settings.mail_from
        )


@asynccontextmanager
async def open_services(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Services]:
    """Opens the services of a reference server; they are closed when the context ends.

    Raises SeedError, StoreError, SpecError, each with a message for the user.
    """
    # Resources come first, so that an invalid seed leaves no data file behind.
    async with load_resources(settings) as resources, AsyncExitStack() as stack:
        store = await _open_store(settings)
        stack.push_async_callback(store.close)
        clock = clock or SystemClock()
        await resources.seed.plant(store, clock, resources.passwords)
        yield resources.build_services(store, clock)


def _load_spec_and_seed(
    document: Mapping[str, Any], settings: Settings
) -> tuple[StatusTable, Seed]:
    statuses = StatusTable.from_document(document)
    check_statuses(statuses)
    if settings.spelling is not None:
        statuses = statuses.with_spelling(settings.spelling)
    return statuses, load_seed(settings.seed, reference=settings.reference)


def disk_for(settings: Settings) -> Disk:
    """Returns where data files are kept: on the disk, or nowhere."""
    return NO_DISK if settings.memory else LOCAL


async def _open_store(settings: Settings) -> Store:
    if settings.store is not None:
        return await _open_postgres(settings.store)
    return await asyncio.to_thread(
        TinyDBStore,
        settings.data_file,
        public_allowed=not settings.reference,
        fresh=settings.fresh,
        disk=disk_for(settings),
    )


async def _open_postgres(database: DatabaseAddress) -> Store:
    try:
        # psycopg is an optional dependency.
        from clients_register.handlers.store.postgres.store import PostgresStore
    except ImportError as error:
        raise StoreError(
            f"--store {database}: expected the driver psycopg to be installed, found that"
            f" {' '.join(str(error).split())}; python -m pip install 'clients-register[postgres]'"
        ) from None
    return await PostgresStore.open(database)
