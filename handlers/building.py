"""From settings to a running server's parts: what is opened here is closed here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clients_register import spec
from clients_register.handlers import rules, seeding
from clients_register.handlers.clock import Clock, SystemClock
from clients_register.handlers.mail import Mailer, Transport
from clients_register.handlers.passwords import Passwords
from clients_register.handlers.services import Services
from clients_register.handlers.sessions import Sessions
from clients_register.handlers.settings import Settings
from clients_register.handlers.store import Store
from clients_register.handlers.store.tinydb import TinyDBStore
from clients_register.spec.catalogue import catalogue
from clients_register.spec.schemas import media_type, parameters, views


@asynccontextmanager
async def opened(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Services]:
    """The services that `settings` ask for, seeded; closed when the context ends.

    Raises SeedError, StoreError, SpecError, each with a message for people.
    """
    document = spec.load("openapi")
    statuses = catalogue()
    rules.check(statuses)
    if settings.spelling is not None:
        statuses = statuses.spelt(settings.spelling)
    clock = clock or SystemClock()
    seed = seeding.load(settings.seed, reference=settings.reference)
    registry = seed.registry()
    store = TinyDBStore(settings.data_file, public_allowed=not settings.reference)
    passwords = Passwords(settings.cost)
    mailer = Mailer(_transport(settings, store), settings.mail_from, clock)
    try:
        await seed.plant(store, clock, passwords)
        yield Services(
            catalogue=statuses,
            media_type=media_type(document),
            parameters=parameters(document),
            views=views(document),
            registry=registry,
            store=store,
            passwords=passwords,
            sessions=Sessions(store, clock, registry),
            clock=clock,
            mailer=mailer,
        )
    finally:
        await mailer.close()
        passwords.close()
        await store.close()


def _transport(settings: Settings, store: Store) -> Transport:
    # httpx takes a while to import, and only Mandrill needs it.
    if settings.mail == "mandrill":
        from clients_register.handlers.mail.mandrill import Mandrill

        return Mandrill(settings.mandrill_url, settings.mandrill_key, settings.mandrill_timeout)
    from clients_register.handlers.mail.outbox import Outbox

    return Outbox(store)
