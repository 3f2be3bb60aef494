"""Runs of pytest as test authors start them."""

import os
from textwrap import dedent

import pytest
from support.command import OPTIONS, PREAMBLE, Run, environment
from support.live import LiveStub

# pytester forgets the modules that a run in this process imported, so that they are there before.
from clients_register.testing import required, stub  # noqa: F401


@pytest.fixture
def unsteered(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that does not steer the server."""
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)


@pytest.fixture
def authors(pytester: pytest.Pytester, unsteered: None) -> Run:
    """Runs tests with the plugin, in a process of their own."""

    def run(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(dedent(PREAMBLE + tests))
        return pytester.runpytest_subprocess(*OPTIONS, *options)

    return run


@pytest.fixture
def authors_here(pytester: pytest.Pytester, unsteered: None) -> Run:
    """Runs tests with the plugin, in this process."""

    def run(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(dedent(PREAMBLE + tests))
        return pytester.runpytest_inprocess(*OPTIONS, *options)

    return run


@pytest.fixture
def authors_on_stub(authors_here: Run, shared_stub: LiveStub) -> Run:
    """Runs tests with the plugin, in this process and on a stub that runs already."""

    def run(tests: str, *options: str) -> pytest.RunResult:
        return authors_here(tests, f"--clients-register-url={shared_stub.origin}", *options)

    return run
