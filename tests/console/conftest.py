"""A browser, and the console open in it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from support.browser import browser, ready, window
from support.live import LiveStub

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """One browser for the tests of a module."""
    with browser() as opened:
        yield opened


@pytest.fixture
def console(chromium: "Browser", shared_stub: LiveStub, world: str) -> Iterator["Page"]:
    """The console of the test's own world."""
    with window(chromium, shared_stub.at("/_mock/", world)) as page:
        ready(page)
        yield page
