"""The engines that tests of the store run on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from support.postgres import Server

from clients_register.handlers.store.engine import Engine
from clients_register.handlers.store.files import Files
from clients_register.handlers.store.postgres.engine import Postgres

ENGINES = ("tinydb", "postgres")

# Opens an engine on data that stays when it is closed.
Opening = Callable[[], Awaitable[Engine]]


def files(directory: Path) -> Opening:
    async def opened() -> Engine:
        return Files(directory / "data.json")

    return opened


def postgres(server: Server, name: str = "postgres") -> Opening:
    async def opened() -> Postgres:
        return await Postgres.opened(server.at(name))

    return opened


@asynccontextmanager
async def closing(opening: Opening) -> AsyncIterator[Engine]:
    """An engine, closed when the context ends."""
    engine = await opening()
    try:
        yield engine
    finally:
        await engine.close()
