"""Runs of pytest as test authors start them."""

import os
from textwrap import dedent

import pytest
from support.authors import PREAMBLE, Run
from support.process import environment
from support.stub import LiveStub


@pytest.fixture
def unsteered(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that does not steer the server."""
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)


@pytest.fixture
def authors(pytester: pytest.Pytester, unsteered: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs tests with the plugin and xdist alone: loading the others takes longer than the run."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(dedent(PREAMBLE + tests))
        return pytester.runpytest_subprocess(
            *("-p", "no:cacheprovider", "-p", "xdist", "-p", "clients_register.testing.plugin"),
            *options,
        )

    return run


@pytest.fixture
def authors_on_stub(authors: Run, shared_stub: LiveStub) -> Run:
    """The same on a stub that is running already, which saves its start."""

    def run(tests: str, *options: str) -> pytest.RunResult:
        return authors(tests, "--clients-register-url", shared_stub.origin, *options)

    return run
