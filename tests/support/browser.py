"""A real browser: Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from support.absence import absent
from support.hang import LIMIT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

# Pages take some messages away after seconds, and a test on a busy machine may look later.
LASTING_MESSAGES = """
const original = window.setTimeout;
window.setTimeout = (act, delay) => original(act, delay > 1000 ? delay * 100 : delay);
"""


@contextmanager
def browser() -> Iterator["Browser"]:
    """A running Chromium, without a window.

    Where it or Playwright is not installed the test is skipped by name; in CI, which must install
    both, it fails. Not for tests that run in an event loop: Playwright brings one of its own.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        absent("Chromium is not installed: run `apt-get install chromium`")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        absent("Playwright is not installed: run `pip install playwright`")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def window(opened: "Browser", url: str, **options: Any) -> Iterator["Page"]:
    """A page that shows `url`, in a profile of its own; `options` are those of `new_context`.

    Whatever goes wrong in it, or leaves the server, is an assertion at the end.
    """
    context = opened.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    context.set_default_timeout(LIMIT * 1000)
    context.add_init_script(LASTING_MESSAGES)
    page = context.new_page()
    wrong = _watched(page, url)
    try:
        page.goto(url)
        yield page
        assert wrong == []
    finally:
        context.close()


def _watched(page: "Page", url: str) -> list[str]:
    """What goes wrong in `page` from now on; the list grows."""
    wrong: list[str] = []
    origin = "/".join(url.split("/")[:3]) + "/"

    def said(message: "ConsoleMessage") -> None:
        # Browsers call an answer of 400 or 500 an error, and here it is what was asked for.
        asked_for = message.text.startswith("Failed to load resource: the server responded")
        if message.type in ("error", "warning") and not asked_for:
            wrong.append(f"console: {message.text}")

    def failed(request: "Request") -> None:
        # Whoever leaves a page leaves its long poll.
        if request.failure != "net::ERR_ABORTED":
            wrong.append(f"failed: {request.url}: {request.failure}")

    def sent(request: "Request") -> None:
        if not request.url.startswith((origin, "data:")):
            wrong.append(f"left the server: {request.url}")

    page.on("console", said)
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("requestfailed", failed)
    page.on("request", sent)
    return wrong
