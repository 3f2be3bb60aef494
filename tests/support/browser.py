"""Debian's Chromium, driven by Playwright, and the console as a page in it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from support.command import NPM, absent
from support.limits import LIMIT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

# Opens the console in a window of a width and a height.
ConsoleAt = Callable[..., AbstractContextManager["Page"]]

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
    """Returns a list to which errors in `page` are added from now on."""
    wrong: list[str] = []
    origin = "/".join(url.split("/")[:3]) + "/"

    def said(message: "ConsoleMessage") -> None:
        # Browsers call an answer of 400 or 500 an error, and here it is what was asked for.
        asked_for = message.text.startswith("Failed to load resource: the server responded")
        if message.type in ("error", "warning") and not asked_for:
            wrong.append(f"console: {message.text}")

    def failed(request: "Request") -> None:
        # Leaving a page cancels its long poll.
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


if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def ready(page: "Page") -> None:
    """Waits until the page has drawn itself."""
    page.wait_for_selector("body[data-ready]")


def go(page: "Page", view: str) -> "Locator":
    """Shows `view` by its link, and returns it."""
    page.locator(f"nav a[href='#{view}']").click()
    shown = page.locator(f"#{view}")
    shown.wait_for()
    return shown


def each_view(page: "Page") -> Iterator[str]:
    """Shows one view after the other, as filled as it gets, and names it."""
    ready(page)
    for link in page.locator("nav a[href^='#']").all():
        with page.expect_response(lambda response: response.url.endswith("/coverage")):
            link.click()
        page.locator(".card, #people-rows tr, #rows li").first.wait_for(state="attached")
        yield str(link.get_attribute("href"))


def axe(page: "Page") -> list[str]:
    """What axe-core finds wrong for people who use the page by keyboard or screen reader."""
    file = NPM / "node_modules" / "axe-core" / "axe.min.js"
    if not file.exists():
        absent(f"axe-core is not installed: run `npm ci` in {NPM}")
    page.evaluate(file.read_text("utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{rule['id']}: {rule['help']}: {node['html']} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


def press(within: "Page | Locator", name: str) -> None:
    """Presses the button called `name`."""
    within.get_by_role("button", name=name, exact=True).first.click()


def told(page: "Page", text: str) -> None:
    """Waits until the page says `text`."""
    page.locator("#told", has_text=text).wait_for()


def card(page: "Page", slug: str) -> "Locator":
    """The card of a status."""
    return page.locator(f"article[data-slug='{slug}']")


def line(page: "Page", slug: str) -> str:
    """The first line of the answer on the card of `slug`, which is closed then."""
    answer = card(page, slug).locator(".answer .line")
    answer.wait_for()
    text = answer.inner_text()
    press(card(page, slug), "Close the response")
    return " ".join(text.split()[:-2])


def register(page: "Page", **values: str) -> str:
    """Registers by the form, with `values` by the ends of their attrs; returns what it tells."""
    form = go(page, "register")
    for name, value in values.items():
        form.locator(f"[data-attr$='{name}']").first.fill(value)
    answer = form.locator("#registration-result")
    answer.evaluate("earlier => earlier.replaceChildren()")
    press(form, "Register")
    answer.locator(".line").wait_for()
    return " ".join(answer.locator(".line").inner_text().split())
