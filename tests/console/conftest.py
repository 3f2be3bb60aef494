"""A browser, and the console open in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from support.browser import ConsoleAt, browser, ready, window
from support.live import LiveStub

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """One browser for the tests of a module."""
    with browser() as opened:
        yield opened


@pytest.fixture
def console_at(chromium: "Browser", shared_stub: LiveStub, world: str) -> ConsoleAt:
    """Opens the console of the test's own world in a window of a given size."""

    @contextmanager
    def opened(width: int, height: int = 900, **options: Any) -> Iterator["Page"]:
        size = {"width": width, "height": height}
        with window(chromium, shared_stub.at("/_mock/", world), viewport=size, **options) as page:
            ready(page)
            yield page

    return opened


@pytest.fixture
def console(chromium: "Browser", shared_stub: LiveStub, world: str) -> Iterator["Page"]:
    """The console of the test's own world."""
    with window(chromium, shared_stub.at("/_mock/", world)) as page:
        ready(page)
        yield page
