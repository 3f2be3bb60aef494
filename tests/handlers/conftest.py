"""The stores by STORES, and the files of one that was killed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.postgres import Server
from support.store import STORES, Opening, in_database, in_file, killed, opened, work

from clients_register.handlers.store.base import Store


@pytest.fixture
def database(postgres: Server) -> str:
    """The name of an empty database."""
    return postgres.made()


@pytest.fixture(params=STORES)
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Opens each store, empty at first."""
    if request.param == "tinydb":
        return in_file(tmp_path)
    server: Server = request.getfixturevalue("postgres")
    return in_database(server, request.getfixturevalue("database"))


@pytest.fixture
async def store(opening: Opening) -> AsyncIterator[Store]:
    """Each store, empty."""
    async with opened(opening) as store:
        yield store


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data file and its journal, as a process leaves them that is killed."""
    folder = tmp_path_factory.mktemp("left")
    return asyncio.run(work(folder / "data.json", folder / "killed"))


@pytest.fixture
def data(left: Path, tmp_path: Path) -> Path:
    return killed(left, tmp_path / "own")
