"""The console's page in the hands of a test: where to click, where to type, what it tells."""

from typing import TYPE_CHECKING

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
