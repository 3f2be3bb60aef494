"""The pages of the console as such: names, widths, schemes, the token, the documents."""

from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from support.browser import ready, window
from support.command import NPM, absent
from support.live import LiveStub

from clients_register import spec
from clients_register.handlers.stub import console
from clients_register.spec.schemas import parameters, views

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Controls that can be seen and have no name that a screen reader could say.
NAMELESS = """() => [...document.querySelectorAll('button, a, input, select, textarea, summary')]
  .filter((each) => each.checkVisibility())
  .filter((each) => !(each.labels?.length || each.getAttribute('aria-label')
    || (!/INPUT|SELECT|TEXTAREA/.test(each.tagName) && each.textContent.trim())))
  .map((each) => each.outerHTML)"""

# References of labels and descriptions that lead nowhere, and ids that are not unique.
DANGLING = """() => [...document.querySelectorAll('*')].flatMap((each) =>
  ['for', 'aria-labelledby', 'aria-describedby', 'aria-controls', 'list'].flatMap((name) =>
    (each.getAttribute(name) ?? '').split(' ').filter(Boolean)
      .filter((id) => document.querySelectorAll(`[id="${id}"]`).length !== 1)))"""

TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def each_view(page: "Page") -> Iterator[str]:
    """Shows one view after the other, as filled as it gets, and names it."""
    ready(page)
    for link in page.locator("nav a[href^='#']").all():
        with page.expect_response(lambda response: response.url.endswith("/coverage")):
            link.click()
        page.locator(".card, #people-rows tr, #rows li").first.wait_for(state="attached")
        yield str(link.get_attribute("href"))


def test_every_control_has_a_name(chromium: "Browser", shared_stub: LiveStub, world: str) -> None:
    shared_stub.registered("x", world)
    with window(chromium, shared_stub.at("/_mock/", world)) as page:
        found = {view: page.evaluate(NAMELESS) for view in each_view(page)}
        assert len(found) == 9
        assert {view: names for view, names in found.items() if names} == {}
        assert page.evaluate(DANGLING) == []


@pytest.mark.parametrize("width", [360, 1000, 1600])
def test_no_view_is_wider_than_the_window(
    chromium: "Browser", shared_stub: LiveStub, world: str, width: int
) -> None:
    shared_stub.registered("somebody.with.a.long.address@an.even.longer.host.tests.test", world)
    size = {"width": width, "height": 800}
    with window(chromium, shared_stub.at("/_mock/", world), viewport=size) as page:
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


def test_the_link_of_the_view_is_in_sight_on_a_phone(
    chromium: "Browser", shared_stub: LiveStub, world: str
) -> None:
    size = {"width": 360, "height": 800}
    with window(chromium, shared_stub.at("/_mock/#worlds", world), viewport=size) as page:
        ready(page)
        link = page.locator("nav a[aria-current]").bounding_box()
        assert link is not None
        assert link["x"] >= 0
        assert link["x"] + link["width"] <= size["width"]
