"""From settings to a running server's parts: what is opened here is closed here."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clients_register import spec
from clients_register.handlers import rules, seeding
from clients_register.handlers.clock import Clock, SystemClock
from clients_register.handlers.mail import Mailer, Transport
from clients_register.handlers.mail.outbox import Outbox
from clients_register.handlers.passwords import Passwords
from clients_register.handlers.seeding import Seed
from clients_register.handlers.services import Services
from clients_register.handlers.sessions import Sessions
from clients_register.handlers.settings import Settings
from clients_register.handlers.store import Store, StoreError
from clients_register.handlers.store.postgres.database import Database
from clients_register.handlers.store.tinydb import TinyDBStore
from clients_register.spec.catalogue import Catalogue
from clients_register.spec.schemas import media_type, parameters, severity, views

if TYPE_CHECKING:
    from clients_register.handlers.mail.mandrill import Mandrill


@dataclass(frozen=True, slots=True)
class Ground:
    """What every store of a server has in common: spec and seed, threads, and who carries mails."""

    document: Mapping[str, Any]
    catalogue: Catalogue
    seed: Seed
    passwords: Passwords
    transport: Transport
    mail_from: str

    def services(
        self,
        store: Store,
        clock: Clock,
        deployed: Mapping[str, frozenset[str]] | None = None,
        altered: Callable[[Transport], Transport] = lambda transport: transport,
    ) -> Services:
        """The services on `store`, whatever is in it.

        `deployed` stands in place of the seed's services, `altered` wraps the transport of mails.
        """
        registry = self.seed.registry()
        if deployed is not None:
            registry = replace(registry, services=deployed)
        mailer = Mailer(altered(self.transport), self.mail_from, clock)
        return Services(
            catalogue=self.catalogue,
            media_type=media_type(self.document),
            parameters=parameters(self.document),
            views=views(self.document),
            severity=severity(self.document),
            registry=registry,
            store=store,
            passwords=self.passwords,
            sessions=Sessions(store, clock, registry),
            clock=clock,
            mailer=mailer,
        )

    def renewed(self, document: Mapping[str, Any], settings: Settings) -> "Ground":
        """This ground by another `document`, the seed read anew. Raises SeedError, SpecError."""
        catalogue, seed = _read(document, settings)
        return replace(self, document=document, catalogue=catalogue, seed=seed)


@asynccontextmanager
async def grounded(settings: Settings) -> AsyncIterator[Ground]:
    """The ground that `settings` ask for; given up when the context ends.

    Raises SeedError, SpecError.
    """
    document = spec.load("openapi")
    catalogue, seed = _read(document, settings)
    async with AsyncExitStack() as closing:
        passwords = Passwords(settings.cost, settings.workers)
        closing.push_async_callback(passwords.close)
        transport: Transport = Outbox()
        if settings.mail == "mandrill":
            transport = mandrill = _mandrill(settings)
            closing.push_async_callback(mandrill.close)
        yield Ground(document, catalogue, seed, passwords, transport, settings.mail_from)


@asynccontextmanager
async def opened(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Services]:
    """The services of a plain server; closed when the context ends.

    Raises SeedError, StoreError, SpecError, each with a message for people.
    """
    # A bad seed leaves no file behind: the ground comes first.
    async with grounded(settings) as ground, AsyncExitStack() as closing:
        store = await _store(settings)
        closing.push_async_callback(store.close)
        clock = clock or SystemClock()
        await ground.seed.plant(store, clock, ground.passwords)
        yield ground.services(store, clock)


def _read(document: Mapping[str, Any], settings: Settings) -> tuple[Catalogue, Seed]:
    catalogue = Catalogue.of(document)
    rules.check(catalogue)
    if settings.spelling is not None:
        catalogue = catalogue.spelt(settings.spelling)
    return catalogue, seeding.load(settings.seed, reference=settings.reference)


async def _store(settings: Settings) -> Store:
    if settings.store is not None:
        return await _postgres_store(settings.store)
    return await asyncio.to_thread(
        TinyDBStore, settings.data_file, public_allowed=not settings.reference
    )


async def _postgres_store(database: Database) -> Store:
    try:
        # An extra of the package, and nothing that a start without it should wait for.
        from clients_register.handlers.store.postgres.store import PostgresStore
    except ImportError as error:
        raise StoreError(
            f"--store {database}: expected the driver psycopg to be installed, found that"
            f" {' '.join(str(error).split())}; python -m pip install 'clients-register[postgres]'"
        ) from None
    return await PostgresStore.opened(database)


def _mandrill(settings: Settings) -> "Mandrill":
    # httpx takes a while to import, and nothing else needs it.
    from clients_register.handlers.mail.mandrill import Mandrill

    return Mandrill(settings.mandrill_url, settings.mandrill_key, settings.mandrill_timeout)
