"""The pytest plugin: the fixtures `clients_register_stub` and `clients_register`, and the options.

This module is imported by every run of pytest in the environment, so it imports pytest and nothing
else; what the fixtures are made of comes with the first test that uses them.
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

# What the callers have met, once a stub was used: slug -> how often, for each stub.
_MET = pytest.StashKey[list[dict[str, int]]]()

# What must be met, and, in the end, what of it was not.
_REQUIRED = pytest.StashKey[list[str]]()
_MISSING = pytest.StashKey[list[str]]()

# The name under which a worker of pytest-xdist hands its counts on.
_OUTPUT = "clients_register_met"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("clients-register", "stub of POST /api/v1/clients/register")
    group.addoption(
        URL,
        metavar="URL",
        help="use the stub that runs there, such as http://127.0.0.1:4018, and start none",
    )
    group.addoption(
        REQUIRE,
        metavar="STATUSES",
        help="fail unless the tests met these statuses: common, all, or names with commas between",
    )
    parser.addini(
        SERVE,
        "further options of `clients-register serve` for the stub that is started; paths are"
        " relative to the root directory of the tests",
        type="args",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuses unknown statuses before the first test runs."""
    config.stash[_MET] = []
    asked = config.getoption(REQUIRE)
    if asked is not None:
        from clients_register.testing.required import UnknownStatus, required

        try:
            config.stash[_REQUIRED] = required(asked)
        except UnknownStatus as error:
            raise pytest.UsageError(f"{REQUIRE}: {error}") from None


@pytest.fixture(scope="session")
def clients_register_stub(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stub]:
    """A running stub, started for this run of the tests, or the one of --clients-register-url.

    With pytest-xdist each worker starts its own. Raises StubError where it does not come up.
    """
    from clients_register.testing.stub import Stub, started

    # The variable of the server itself, so that both sides are told the same.
    token = os.environ.get("CLIENTS_REGISTER_CONTROL_TOKEN")
    url = pytestconfig.getoption(URL)
    if url:
        with Stub(url, token) as stub:
            yield from _counted(stub, pytestconfig)
        return
    folder = tmp_path_factory.mktemp("clients-register")
    options = pytestconfig.getini(SERVE)
    with started(folder, options, pytestconfig.rootpath) as origin, Stub(origin, token) as stub:
        yield from _counted(stub, pytestconfig)


@pytest.fixture
def clients_register(
    clients_register_stub: Stub, request: pytest.FixtureRequest
) -> Iterator[World]:
    """A world of the stub for this test alone, deleted afterwards.

    When the test fails, its report shows what the stub was asked and why it answered so.
    """
    with clients_register_stub.world(request.node.name) as world:
        yield world
        request.node.add_report_section("teardown", "clients-register", world.story())


def _counted(stub: Stub, config: pytest.Config) -> Iterator[Stub]:
    """Hands out `stub`, and notes what its callers met meanwhile, if that is asked for."""
    if _REQUIRED not in config.stash:
        yield stub
        return
    from clients_register.testing.required import growth

    before = stub.coverage()
    yield stub
    config.stash[_MET].append(growth(before, stub.coverage()))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Takes over what a worker's tests have met."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    output = getattr(node, "workeroutput", {})
    config.stash[_MET].extend(output.get(_OUTPUT, []))


# Last, since the fixtures of a run that was cut short are only finished by pytest's own.
@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails a run that did not meet what is required; a worker only reports what it met."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput[_OUTPUT] = config.stash[_MET]
        return
    if _REQUIRED not in config.stash or config.option.collectonly:
        return
    from clients_register.testing.required import missing

    met = config.stash[_MET]
    config.stash[_MISSING] = missing(config.stash[_REQUIRED], met)
    passed = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    if config.stash[_MISSING] and session.exitstatus in passed:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Names what was not met."""
    if _MISSING not in config.stash:
        return
    absent, of = config.stash[_MISSING], len(config.stash[_REQUIRED])
    terminalreporter.section("clients-register statuses")
    terminalreporter.line(f"met {of - len(absent)} of the {of} required")
    for slug in absent:
        terminalreporter.line(f"never met: {slug}", red=True)
    if not config.stash[_MET]:
        terminalreporter.line("no test used the fixtures clients_register or clients_register_stub")
