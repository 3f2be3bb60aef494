"""Fixtures for all tests. Everything is seeded, in directories of its own, on free ports."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp
from support.live import Live

from clients_register.handlers.services import Services
from clients_register.handlers.settings import Settings

LiveFactory = Callable[..., Live]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[LiveFactory]:
    """Starts a server with the given settings: `start(reference=True, alter=...)`."""
    numbers = count()
    with ExitStack() as stack:

        def started(
            alter: Callable[[Services], Services] = lambda services: services,
            before_routing: ASGIApp | None = None,
            **changes: Any,
        ) -> Live:
            data = tmp_path / f"data-{next(numbers)}.json"
            settings = Settings(**{"data": data, "bcrypt_cost": 4, **changes})
            return stack.enter_context(Live(settings, alter, before_routing))

        yield started


@pytest.fixture
def live(start: LiveFactory) -> Live:
    """A fresh server with personas."""
    return start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server for all tests of a module that leave nothing behind that another would meet."""
    data = tmp_path_factory.mktemp("shared") / "data.json"
    with Live(Settings(data=data, bcrypt_cost=4)) as server:
        yield server


@pytest.fixture
def email(request: pytest.FixtureRequest) -> str:
    """An address that no other test uses."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.nodeid.rpartition("/")[2])
    return f"{name[:40].strip('-')}.{abs(hash(request.node.nodeid)) % 10**8}@tests.test"
