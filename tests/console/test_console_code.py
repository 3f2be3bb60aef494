"""The code that the console offers for copying does what it says."""

import subprocess
from typing import TYPE_CHECKING

import pytest
from support.browser import card, go, press, told

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.mark.parametrize("way", ["By header", "By address", "By its cause"])
@pytest.mark.parametrize("slug", ["application-crash", "invalid-content-type", "missing-param"])
def test_the_curl_line_of_a_card_does_what_it_says(console: "Page", way: str, slug: str) -> None:
    press(card(console, slug), "Code")
    card(console, slug).get_by_text(way, exact=True).click()
    script = card(console, slug).locator("pre").inner_text()
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert f'"{slug}"' in ran.stdout, ran.stderr


@pytest.mark.parametrize("way", ["By header", "By address", "By its cause"])
def test_the_fetch_of_a_card_does_what_it_says(console: "Page", way: str) -> None:
    press(card(console, "application-crash"), "Code")
    for choice in (way, "fetch"):
        card(console, "application-crash").get_by_text(choice, exact=True).click()
    script = card(console, "application-crash").locator("pre").inner_text()
    with console.expect_console_message(lambda message: message.type == "log") as logged:
        console.evaluate(f"async () => {{ {script} }}")
    assert "application-crash" in logged.value.text


def test_the_curl_line_of_the_form_quotes_what_was_typed(console: "Page") -> None:
    view = go(console, "register")
    view.get_by_label("E-mail").fill("o'hara@tests.test")
    view.get_by_label("Last name").fill("O'Hara \\ ü $HOME")
    script = view.locator("#curl").inner_text()
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert "O'Hara \\\\ ü $HOME" in ran.stdout, ran.stderr


def test_what_is_copied_is_the_code_shown(console: "Page") -> None:
    console.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(card(console, "missing-param"), "Code")
    card(console, "missing-param").get_by_text("Playwright", exact=True).click()
    press(console, "Copy the code for missing-param")
    told(console, "Copied")
    copied = console.evaluate("navigator.clipboard.readText()")
    assert copied == card(console, "missing-param").locator("pre").inner_text()
