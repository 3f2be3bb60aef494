"""The page of a conformance report, in a browser, as a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from support.browser import axe
from support.limits import LIMIT
from support.suite import report

from clients_register.conformance.report import FORMATS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def page(chromium: "Browser", tmp_path: Path) -> Iterator["Page"]:
    """The page of a report with a case of each verdict; whatever it complains of is a failure."""
    file = tmp_path / "report.html"
    file.write_text(FORMATS["html"](report()), "utf-8")
    wrong: list[str] = []
    opened = chromium.new_page()
    opened.set_default_timeout(LIMIT * 1000)
    opened.on("console", lambda message: wrong.append(message.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.goto(file.as_uri())
    yield opened
    opened.close()
    assert wrong == []


def shown(page: "Page") -> int:
    return page.locator(".case:not([hidden])").count()


def test_what_a_target_said_runs_nowhere(page: "Page") -> None:
    assert page.title() == "Conformance report"
    assert page.locator("h1").inner_text().startswith("<script>")


def test_cases_are_searched_and_filtered(page: "Page") -> None:
    # It opens on what fails. What is not claimed is not listed.
    assert shown(page) == 3
    page.goto(f"{page.url}#about=R-CLIENT-CREATED")
    page.locator("#found").get_by_text("9 of 9").wait_for()
    page.get_by_label("Search the cases").fill("comes unexpected")
    assert shown(page) == 1
    page.get_by_label("Search the cases").fill("")
    page.get_by_role("button", name="fail 1", exact=True).click()
    page.get_by_role("button", name="warn 1").click()
    assert page.locator("#found").inner_text() == "2 of 9"
    page.get_by_label("About").select_option("Q-PATH")
    page.get_by_label("Area").select_option("some-area")
    assert shown(page) == 2


def test_the_page_begins_with_the_violations_worst_first(page: "Page") -> None:
    entries = page.locator("#violations .entry")
    verdicts = [each.get_attribute("data-verdict") for each in entries.all()]
    assert verdicts == ["error", "unexpected-pass", "fail", "warn", "note"]
    page.locator("#violations").get_by_role("link", name="some-area/fail").click()
    page.locator("[id='case-some-area/fail'][open]").wait_for()


def test_a_case_opens_with_its_findings_and_its_exchange(page: "Page") -> None:
    case = page.locator("[id='case-some-area/fail']")
    case.locator("summary").first.click()
    case.get_by_text("a second thing").wait_for()
    case.get_by_text("curl -d e30=").wait_for()


def test_a_link_to_a_case_opens_it(page: "Page") -> None:
    page.goto(f"{page.url}#case-some-area/note")
    page.locator("[id='case-some-area/note'][open]").wait_for()


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_is_no_wider_than_the_window(page: "Page", width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.locator(".case:not([hidden]) summary").first.click()
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_page(page: "Page", scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    page.locator(".case:not([hidden]) summary").first.click()
    assert axe(page) == []
