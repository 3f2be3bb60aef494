"""Runs of pytest as test authors start them."""

import os
from textwrap import dedent

import pytest
from support.authors import PREAMBLE, Run
from support.process import environment


@pytest.fixture
def unsteered(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that does not steer the server."""
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)


@pytest.fixture
def authors(pytester: pytest.Pytester, unsteered: None) -> Run:
    """Runs tests with the plugin."""

    def run(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(dedent(PREAMBLE + tests))
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)

    return run
