"""The engines that keep the store, by ENGINES, and the files of one that was killed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from support import engines
from support.engines import ENGINES, Opening
from support.killed import killed, work

from clients_register.handlers.store import Store
from clients_register.handlers.store.engine import Engine


@pytest.fixture(params=ENGINES)
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Opens each engine; tests keep to a `world` of their own there."""
    if request.param == "tinydb":
        return engines.files(tmp_path)
    return engines.postgres(request.getfixturevalue("postgres"))


@pytest.fixture
async def engine(opening: Opening) -> AsyncIterator[Engine]:
    """Each engine."""
    async with engines.closing(opening) as opened:
        yield opened


@pytest.fixture
async def open_store(opening: Opening, world: str) -> AsyncIterator[Callable[[], Awaitable[Store]]]:
    """Opens one store of each engine as often as it was closed, each time by another engine."""
    async with AsyncExitStack() as stack:

        async def opened() -> Store:
            engine = await stack.enter_async_context(engines.closing(opening))
            return await engine.store(world, public_allowed=True)

        yield opened


@pytest.fixture
async def store(engine: Engine, world: str) -> AsyncIterator[Store]:
    """A store of each engine, empty."""
    opened = await engine.store(world, public_allowed=True)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data file and its journal, as a process leaves them that is killed."""
    folder = tmp_path_factory.mktemp("left")
    return asyncio.run(work(folder / "data.json", folder / "killed"))


@pytest.fixture
def data(left: Path, tmp_path: Path) -> Path:
    return killed(left, tmp_path / "own")
