"""The pages of the console as such: names, widths, schemes, the token, the documents."""

from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from support.browser import (
    ConsoleAt,
    axe,
    card,
    each_view,
    go,
    press,
    ready,
    register,
    told,
    window,
)
from support.command import NPM, absent
from support.live import LiveStub

from clients_register import spec
from clients_register.handlers.stub import console
from clients_register.spec.schemas import parameters, views

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# References of labels and descriptions that lead nowhere, and ids that are not unique.
DANGLING = """() => [...document.querySelectorAll('*')].flatMap((each) =>
  ['for', 'aria-labelledby', 'aria-describedby', 'aria-controls', 'list'].flatMap((name) =>
    (each.getAttribute(name) ?? '').split(' ').filter(Boolean)
      .filter((id) => document.querySelectorAll(`[id="${id}"]`).length !== 1)))"""

TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def filled(page: "Page", world: str) -> None:
    """Brings the page into every state that shows more than before."""
    for name in ("Send it", "Code"):
        press(card(page, "missing-param"), name)
    card(page, "missing-param").locator(".answer").wait_for()
    register(page, email="nobody")
    press(go(page, "answers"), "Add to the script")
    view = go(page, "worlds")
    view.get_by_label("Save this world as").fill(f"{world}-saved")
    press(view, "Save")
    go(page, "traffic").locator("#rows summary").first.click()
    page.locator("#rows .why").wait_for()
    view = go(page, "people")
    view.get_by_label("E-mail of the user").fill("nobody@tests.test")
    press(view, "Mint")
    told(page, "no user has the address")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing(console_at: ConsoleAt, world: str, width: int, scheme: str) -> None:
    with console_at(width, color_scheme=scheme) as page:
        filled(page, world)
        found = {view: axe(page) for view in each_view(page)}
        assert len(found) == 9
        assert {view: violations for view, violations in found.items() if violations} == {}


def test_every_reference_leads_to_one_element(console: "Page") -> None:
    assert console.evaluate(DANGLING) == []


@pytest.mark.parametrize("width", [360, 1000, 1600])
def test_no_view_is_wider_than_the_window(
    console_at: ConsoleAt, shared_stub: LiveStub, world: str, width: int
) -> None:
    shared_stub.registered("somebody.with.a.long.address@an.even.longer.host.tests.test", world)
    with console_at(width) as page:
        found = {view: page.evaluate(TOO_WIDE) for view in each_view(page)}
        assert {view: much for view, much in found.items() if much > 0} == {}


def test_the_page_follows_the_scheme_until_one_is_chosen(
    chromium: "Browser", shared_stub: LiveStub, world: str
) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with window(chromium, shared_stub.at("/_mock/", world), color_scheme="dark") as page:
        ready(page)
        dark = page.evaluate(ground)
        drawn = page.screenshot()
        page.get_by_role("button", name="Dark").click()
        light = page.evaluate(ground)
        page.reload()
        ready(page)
        assert page.evaluate(ground) == light != dark
        blank = page.context.new_page()
        assert len(drawn) > 5 * len(blank.screenshot())


def test_the_token_is_asked_for_once_and_again_where_it_is_wrong(
    chromium: "Browser", start_stub: Callable[..., LiveStub]
) -> None:
    guarded = start_stub(control_token="open sesame")
    with window(chromium, guarded.at("/_mock/")) as page:
        for token in ("closed sesame", "open sesame"):
            page.get_by_label("Token", exact=True).last.fill(token)
            assert axe(page) == []
            page.get_by_role("button", name="Continue").click()
            if token == "closed sesame":
                page.get_by_text("Wrong token.").wait_for()
        ready(page)
        page.reload()
        ready(page)
        assert not page.locator("dialog").is_visible()


def test_the_form_has_every_parameter_of_the_contract(
    chromium: "Browser", shared_stub: LiveStub, world: str
) -> None:
    document = spec.load("openapi")
    with window(chromium, shared_stub.at("/_mock/#register", world)) as page:
        ready(page)
        fields = page.locator("[data-attr]").evaluate_all("all => all.map(e => e.dataset.attr)")
        assert {*fields, "client"} == {each.path for each in parameters(document)}
        for kind, field in (("client", "view"), ("session", "session_view")):
            suggested = page.locator(f"#field-{field}-list option")
            values = suggested.evaluate_all("all => all.map(e => e.value)")
            assert values == list(views(document)[kind])


# The OpenAPI version of each document that is shown.
VERSIONS = {"openapi": "3.0", "openapi-3.1": "3.1", "control": "3.0"}


@pytest.mark.parametrize("name", VERSIONS)
def test_the_documents_are_shown_without_errors(
    chromium: "Browser", shared_stub: LiveStub, name: str
) -> None:
    title = spec.load(name.partition("-")[0])["info"]["title"]
    with window(chromium, shared_stub.at("/_mock/docs/")) as page:
        page.wait_for_selector(".opblock")
        page.get_by_label("Select a definition").select_option(f"../{name}.yaml")
        page.locator(".info .title", has_text=f"OAS {VERSIONS[name]}").wait_for()
        assert title in page.locator(".info .title").inner_text()
        page.locator(".opblock button").first.click()
        page.locator(".opblock .responses-table").wait_for()
        assert page.locator(".errors-wrapper").count() == 0


def test_swagger_ui_is_the_release_that_npm_locks() -> None:
    release = NPM / "node_modules" / "swagger-ui-dist"
    if not release.exists():
        absent(f"swagger-ui-dist is not installed: run `npm ci` in {NPM}")
    for file in (files(console) / "swagger-ui").iterdir():
        assert file.read_bytes() == (release / file.name).read_bytes(), f"{file.name}: copy it"


def test_the_link_of_the_view_is_in_sight_on_a_phone(console_at: ConsoleAt) -> None:
    with console_at(360) as page:
        go(page, "worlds")
        page.reload()
        ready(page)
        link = page.locator("nav a[aria-current]").bounding_box()
        assert link is not None
        assert link["x"] >= 0
        assert link["x"] + link["width"] <= 360
