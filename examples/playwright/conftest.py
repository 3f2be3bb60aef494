"""Serves the page from another origin than the API's, as in production, and starts a browser."""

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from clients_register.testing.world import World


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without logging."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Logs nothing."""


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """Serves the page; yields its URL."""
    folder = Path(__file__).parent
    handler = partial(Quiet, directory=str(folder.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/{folder.name}/index.html"
        server.shutdown()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Starts the system's Chromium if there is one, otherwise that of `playwright install`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def form(site: str, chromium: Browser, clients_register: World) -> Iterator[Page]:
    """Opens the page, which uses this test's world of the stub as its API."""
    page = chromium.new_page()
    page.goto(f"{site}?{urlencode({'api': clients_register.base})}")
    yield page
    page.close()
