"""The engines that keep the store. Another one is one more name in ENGINES."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from support import engines
from support.engines import ENGINES, Opening
from support.postgres import Server

from clients_register.handlers.store import Store
from clients_register.handlers.store.engine import DEFAULT, Engine


@pytest.fixture(params=ENGINES)
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Opens each engine on data of the test's own."""
    if request.param == "tinydb":
        return engines.files(tmp_path)
    server: Server = request.getfixturevalue("postgres")
    return engines.postgres(server, server.made())


@pytest.fixture
async def engine(opening: Opening) -> AsyncIterator[Engine]:
    """Each engine, empty."""
    async with engines.closing(opening) as opened:
        yield opened


@pytest.fixture
async def open_store(opening: Opening) -> AsyncIterator[Callable[[], Awaitable[Store]]]:
    """Opens the store of the default world, each time with an engine of its own."""
    async with AsyncExitStack() as stack:

        async def opened() -> Store:
            engine = await stack.enter_async_context(engines.closing(opening))
            return await engine.store(DEFAULT, public_allowed=True)

        yield opened


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    """A store of each engine, empty."""
    opened = await engine.store(DEFAULT, public_allowed=True)
    yield opened
    await opened.close()
