"""The pytest plugin: its fixtures, of which tests use `clients_register`, and its options.

Every run of pytest in the environment imports this module, so it imports nothing but pytest; the
fixtures import what they need.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from clients_register.testing.stub import Stub
    from clients_register.testing.world import World

URL = "--clients-register-url"
REQUIRE = "--clients-register-require"
SERVE = "clients_register_serve"

# The world of a test.
_WORLD = pytest.StashKey["World"]()

# The counts of statuses that the tests received, by slug, for each stub that was used.
_MET = pytest.StashKey[list[dict[str, int]]]()

# The statuses that are required, and those of them that were not received.
_REQUIRED = pytest.StashKey[list[str]]()
_MISSING = pytest.StashKey[list[str]]()

# The key under which a worker of pytest-xdist reports its counts.
_OUTPUT = "clients_register_met"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("clients-register", "stub of POST /api/v1/clients/register")
    group.addoption(
        URL,
        metavar="URL",
        help="use a running stub, such as http://127.0.0.1:4018, instead of starting one",
    )
    group.addoption(
        REQUIRE,
        metavar="STATUSES",
        help="fail unless the tests received these statuses: common, all, or a list with commas",
    )
    parser.addini(
        SERVE,
        "more options of `clients-register serve` for the stub that is started; paths are"
        " relative to the root directory of the tests",
        type="args",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Rejects unknown statuses before the first test runs."""
    config.stash[_MET] = []
    text = config.getoption(REQUIRE)
    if text is not None:
        from clients_register.testing.required import UnknownStatus, parse_required

        try:
            config.stash[_REQUIRED] = parse_required(text)
        except UnknownStatus as error:
            raise pytest.UsageError(f"{REQUIRE}: {error}") from None


@pytest.fixture(scope="session")
def clients_register_stub(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stub]:
    """A running stub, started for this test run, or the one of --clients-register-url.

    With pytest-xdist each worker starts its own. Raises StubError if it does not start.
    """
    from clients_register.testing.stub import Stub, start_stub

    # The server reads the same variable.
    token = os.environ.get("CLIENTS_REGISTER_CONTROL_TOKEN")
    url = pytestconfig.getoption(URL)
    if url:
        with Stub(url, token) as stub:
            yield from _count_statuses(stub, pytestconfig)
        return
    folder = tmp_path_factory.mktemp("clients-register")
    options = pytestconfig.getini(SERVE)
    with start_stub(folder, options, pytestconfig.rootpath) as origin, Stub(origin, token) as stub:
        yield from _count_statuses(stub, pytestconfig)


@pytest.fixture(scope="session")
def clients_register_snapshot() -> str | None:
    """The snapshot that the worlds of tests start from; None for the initial state.

    To be overridden in a conftest.py, by a fixture that prepares a world and saves it.
    """
    return None


@pytest.fixture
def clients_register(
    clients_register_stub: Stub,
    clients_register_snapshot: str | None,
    request: pytest.FixtureRequest,
) -> Iterator[World]:
    """A world of the stub for this test only, deleted afterwards.

    If the test fails, its report shows the requests, the responses, and why they were given. It
    fails if a response that it forced was never requested.
    """
    with clients_register_stub.world(request.node.name, clients_register_snapshot) as world:
        request.node.stash[_WORLD] = world
        yield world
        del request.node.stash[_WORLD]
        request.node.add_report_section("teardown", "clients-register", world.summarize())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fails a test that has passed, at its call of `force`, if nothing requested the response."""
    __tracebackhide__ = True
    yield
    if _WORLD in item.stash:
        item.stash[_WORLD].check_forced()


def _count_statuses(stub: Stub, config: pytest.Config) -> Iterator[Stub]:
    """Yields `stub`, and counts the statuses it returned meanwhile, if any are required."""
    if _REQUIRED not in config.stash:
        yield stub
        return
    from clients_register.testing.required import subtract_counts

    before = stub.coverage()
    yield stub
    config.stash[_MET].append(subtract_counts(before, stub.coverage()))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Adds the counts of a worker."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    output = getattr(node, "workeroutput", {})
    config.stash[_MET].extend(output.get(_OUTPUT, []))


# Last, because after an interrupted run pytest's own hook finishes the fixtures.
@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the run if a required status was not received; a worker only reports its counts."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput[_OUTPUT] = config.stash[_MET]
        return
    if _REQUIRED not in config.stash or config.option.collectonly:
        return
    from clients_register.testing.required import find_missing

    met = config.stash[_MET]
    config.stash[_MISSING] = find_missing(config.stash[_REQUIRED], met)
    passed = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    if config.stash[_MISSING] and session.exitstatus in passed:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Lists the required statuses that were not received."""
    if _MISSING not in config.stash:
        return
    absent, of = config.stash[_MISSING], len(config.stash[_REQUIRED])
    terminalreporter.section("clients-register statuses")
    terminalreporter.line(f"met {of - len(absent)} of the {of} required")
    for slug in absent:
        terminalreporter.line(f"never met: {slug}", red=True)
    if not config.stash[_MET]:
        terminalreporter.line("no test used the fixtures clients_register or clients_register_stub")
