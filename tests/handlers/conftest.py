"""The engines that keep the store. A second one is one more line in ENGINES."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from clients_register.handlers.store import Store
from clients_register.handlers.store.tinydb import TinyDBStore

# name -> opens the data in a directory of the test's own, as often as it was closed
ENGINES: dict[str, Callable[[Path], Store]] = {
    "tinydb": lambda directory: TinyDBStore(directory / "data.json", public_allowed=True),
}


@pytest.fixture(params=ENGINES)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Opens the data of one engine."""
    return lambda: ENGINES[request.param](tmp_path)


@pytest.fixture
async def store(open_store: Callable[[], Store]) -> AsyncIterator[Store]:
    """A store of each engine, empty."""
    opened = open_store()
    yield opened
    await opened.close()
