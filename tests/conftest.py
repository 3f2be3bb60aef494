"""Fixtures for all tests. Everything is seeded, in directories of its own, on free ports."""

import math
import os
import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any
from zlib import crc32

import coverage
import httpcore2  # noqa: F401 - see below
import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings
from starlette.types import ASGIApp
from support.limits import LIMIT
from support.live import Live, LiveStub
from support.postgres import Server, postgres_server
from support.servers import Second, second_server
from support.store import InDatabases, InFiles, Keep, Keeper

from clients_register.conformance import http_client
from clients_register.conformance.report import curl
from clients_register.handlers.context import Services
from clients_register.handlers.settings import Settings
from clients_register.handlers.store.postgres import connections
from clients_register.testing import stub as started_stub

# pytester unloads modules that were imported during its run. httpx2 imports httpcore2 late, and
# would then catch exceptions of the unloaded copy; here, it is imported beforehand.

# Tests that are started in the background of a shell ignore SIGINT, and so do the commands that
# they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Fixtures here are servers, whose state the properties do not depend on.
settings.register_profile(
    "exploring", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile(
    "repeatable", settings.get_profile("exploring"), derandomize=True, database=None
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    """Lets this process wait for its servers, and servers for the database, up to `LIMIT`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_client, "DEFAULT_TIMEOUT", LIMIT)
        patch.setattr(curl, "HEAD_TIMEOUT", math.ceil(LIMIT))
        patch.setattr(started_stub, "STOP_TIMEOUT", LIMIT)
        patch.setattr(connections, "CONNECT_TIMEOUT", math.ceil(LIMIT))
        patch.setattr(connections, "ACQUIRE_TIMEOUT", LIMIT)
        yield


@pytest.fixture(autouse=True)
def measuring(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Does not measure coverage in child processes, unless the test is marked `measured`."""
    if not request.node.get_closest_marker("measured"):
        monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


LiveFactory = Callable[..., Live]

# These fixtures start servers with their data where `--store` says.
ROOMS = frozenset({"keep", "keep_for_module"})

# How many tests of each file `--smoke` runs, unless it marks some as `smoke`.
SMOKE = 2


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--store",
        choices=["file", "postgres"],
        default="file",
        help="where the reference servers of tests keep their data; others are left out",
    )
    parser.addoption(
        "--soak",
        action="store_true",
        help="run the tests that are too long for every change, and only those",
    )
    parser.addoption(
        "--smoke",
        action="store_true",
        help=f"run the tests marked `smoke`, or {SMOKE} of each file that marks none,"
        " each with its first parameters",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "files: is about the data file, and nothing without one")
    config.addinivalue_line("markers", "soak: runs before a release, and not on every change")
    config.addinivalue_line(
        "markers", "smoke: of this file, smoke runs select only the tests that are marked so"
    )
    config.addinivalue_line("markers", "once: is left out of smoke runs")
    config.addinivalue_line("markers", "measured: coverage is measured in its child processes, too")


# In a worker of pytest-xdist, coverage would be started three times, each at a price: as in any
# child process, by pytest-cov when it is loaded, and by pytest-cov when the session starts.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput") and (started := coverage.Coverage.current()):
        started.stop()


# After pytest-randomly, whose order must not decide which tests are the first of their file.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    in_order = [*items]
    yield
    soak = config.getoption("soak")
    selected = {item for item in in_order if bool(item.get_closest_marker("soak")) is soak}
    if config.getoption("store") != "file":
        selected = {item for item in selected if not ROOMS.isdisjoint(_fixtures(item))}
    if config.getoption("smoke"):
        short = [i for i in in_order if i in selected and not i.get_closest_marker("once")]
        marked = [item for item in short if item.get_closest_marker("smoke")]
        paths = {item.path for item in marked}
        others = [item for item in short if item.path not in paths]
        selected = {*first_of_each_test(marked), *first_of_each_file(others)}
    config.hook.pytest_deselected(items=[item for item in items if item not in selected])
    items[:] = [item for item in items if item in selected]
    for item in items:
        if config.getoption("store") != "file" and item.get_closest_marker("files"):
            item.add_marker(pytest.mark.skip(reason="it is about the data file"))
        # Coverage slows down its many examples, and other tests reach the same lines.
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.no_cover)


def _fixtures(item: pytest.Item) -> Iterable[str]:
    return getattr(item, "fixturenames", ())


def first_of_each_file(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """The first tests of each file, each with its first parameters."""
    counts: Counter[Path] = Counter()
    for item in first_of_each_test(items):
        counts[item.path] += 1
        if counts[item.path] <= SMOKE:
            yield item


def first_of_each_test(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """Each test with its first parameters."""
    seen = set()
    for item in items:
        test = item.nodeid.partition("[")[0]
        if test not in seen:
            seen.add(test)
            yield item


@pytest.fixture(scope="session")
def keeper(request: pytest.FixtureRequest) -> Keeper:
    """Has room for the data of servers, as `--store` asks for."""
    if request.config.getoption("store") == "file":
        return InFiles()
    return InDatabases(request.getfixturevalue("postgres"))


@pytest.fixture
def keep(keeper: Keeper) -> Iterator[Keep]:
    """Where the servers of a test keep their data: `Settings(**keep(tmp_path / "data.json"))`."""
    with keeper.room() as room:
        yield room


@pytest.fixture(scope="module")
def keep_for_module(keeper: Keeper) -> Iterator[Keep]:
    """The same for servers that run as long as a module."""
    with keeper.room() as room:
        yield room


@pytest.fixture
def start(tmp_path: Path, keep: Keep) -> Iterator[LiveFactory]:
    """Starts a server with the given settings: `start(reference=True, alter=...)`."""
    numbers = count()
    with ExitStack() as stack:

        def started(
            alter: Callable[[Services], Services] = lambda services: services,
            before_routing: ASGIApp | None = None,
            **changes: Any,
        ) -> Live:
            kept = keep(changes.pop("data", tmp_path / f"data-{next(numbers)}.json"))
            settings = Settings(**{"port": 0, "bcrypt_cost": 4, **kept, **changes})
            return stack.enter_context(Live(settings, alter, before_routing))

        yield started


@pytest.fixture
def live(start: LiveFactory) -> Live:
    """A fresh server with personas."""
    return start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, keep_for_module: Keep) -> Iterator[Live]:
    """One server for all tests of a module that leave nothing behind that another would meet."""
    kept = keep_for_module(tmp_path_factory.mktemp("shared") / "data.json")
    with Live(Settings(port=0, bcrypt_cost=4, **kept)) as server:
        yield server


@pytest.fixture
def email(request: pytest.FixtureRequest) -> str:
    """An address that no other test uses."""
    return f"someone.{crc32(request.node.nodeid.encode()):08x}@tests.test"


@pytest.fixture
def start_stub(tmp_path: Path) -> Iterator[Callable[..., LiveStub]]:
    """Starts a stub with the given settings."""
    numbers = count()
    with ExitStack() as stack:

        def started(**changes: Any) -> LiveStub:
            data = tmp_path / f"stub-{next(numbers)}.json"
            settings = Settings(**{"port": 0, "bcrypt_cost": 4, "data": data, **changes})
            return stack.enter_context(LiveStub(settings))

        yield started


@pytest.fixture
def stub(start_stub: Callable[..., LiveStub]) -> LiveStub:
    """A fresh stub."""
    return start_stub()


@pytest.fixture(scope="module")
def shared_stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStub]:
    """One stub for all tests of a module, each of which keeps to a world of its own."""
    data = tmp_path_factory.mktemp("stub") / "data.json"
    with LiveStub(Settings(port=0, bcrypt_cost=4, data=data)) as server:
        yield server


@pytest.fixture
def world(request: pytest.FixtureRequest) -> str:
    """The name of a world that no other test uses."""
    return f"w{crc32(request.node.nodeid.encode()):08x}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One PostgreSQL server for all tests of a process, each of which keeps to its databases."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def mortal() -> Iterator[Server]:
    """A PostgreSQL server that tests stop; they start it again."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def running_second() -> Iterator[Second]:
    with second_server() as second:
        yield second


@pytest.fixture
def second(running_second: Second) -> Iterator[Second]:
    """One second server for all tests of a module; what is of the whole process is undone."""
    yield running_second
    running_second.arrange("restore")
