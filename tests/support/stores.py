"""The stores that tests run on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from support.postgres import Server

from clients_register.handlers.store.base import Store
from clients_register.handlers.store.postgres.store import PostgresStore
from clients_register.handlers.store.tinydb import TinyDBStore

STORES = ("tinydb", "postgres")

# Opens a store on data that stays when it is closed.
Opening = Callable[[], Awaitable[Store]]


def in_file(directory: Path) -> Opening:
    async def opening() -> Store:
        return TinyDBStore(directory / "data.json", public_allowed=True)

    return opening


def in_database(server: Server, name: str) -> Opening:
    async def opening() -> Store:
        return await PostgresStore.open(server.at(name))

    return opening


@asynccontextmanager
async def opened(opening: Opening) -> AsyncIterator[Store]:
    """A store, closed when the context ends."""
    store = await opening()
    try:
        yield store
    finally:
        await store.close()
