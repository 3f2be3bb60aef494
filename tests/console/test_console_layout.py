"""Where the parts of the console stand: nothing covers a control, and controls stay in place."""

from typing import TYPE_CHECKING, Any

import pytest
from support.browser import ConsoleAt, card, each_view, go, press, ready, register, told
from support.live import LiveStub

from clients_register.spec.statuses import load_statuses

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

WIDTHS = [390, 900, 1280, 1440]

# Controls that another element covers in the middle, or that overlap other controls.
COVERED = """() => {
  const controls = 'button, a, input, select, textarea, summary, [tabindex="0"]';
  const shown = [...document.querySelectorAll(controls)]
    .filter((each) => each.checkVisibility() && !each.closest('#told, .skip, .choices'));
  const name = (each) => each.id || each.getAttribute('aria-label') || each.textContent.trim();
  const found = [];
  for (const each of shown) {
    each.scrollIntoView({block: 'center', inline: 'center'});
    const box = each.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const inside = top && (each.contains(top) || top.contains(each));
    if (!inside) found.push(`${name(each)} is under ${top?.outerHTML.slice(0, 80)}`);
    for (const other of shown) {
      const rect = other.getBoundingClientRect();
      const pinned = each.closest('header.top, #registration-actions')
        !== other.closest('header.top, #registration-actions');
      if (pinned || each.contains(other) || other.contains(each)) continue;
      const wide = Math.min(box.right, rect.right) - Math.max(box.left, rect.left);
      const high = Math.min(box.bottom, rect.bottom) - Math.max(box.top, rect.top);
      if (wide > 1 && high > 1) found.push(`${name(each)} overlaps ${name(other)}`);
    }
  }
  window.scrollTo(0, 0);
  return found;
}"""

# Whether the message is within the bar at the top, and the controls of the bar that it covers.
MESSAGE = """() => {
  const [told, bar] = ['#told', 'header.top']
    .map((each) => document.querySelector(each).getBoundingClientRect());
  const under = [...document.querySelectorAll('header.top a, header.top > button')]
    .filter((each) => {
      const box = each.getBoundingClientRect();
      return box.right > told.left && box.left < told.right;
    });
  return [told.height > 0 && told.top >= bar.top && told.bottom <= bar.bottom,
    under.map((each) => each.textContent)];
}"""

# How many rows of the grid of cards, except the last, do not reach its right edge.
HOLES = """() => {
  const boxes = [...document.querySelectorAll('.card, .opened')]
    .map((each) => each.getBoundingClientRect()).filter((box) => box.height);
  const right = Math.max(...boxes.map((box) => box.right));
  const last = Math.max(...boxes.map((box) => box.top));
  const rows = Map.groupBy(boxes, (box) => Math.round(box.top));
  return [...rows.values()]
    .filter((row) => row[0].top < last - 1)
    .filter((row) => Math.max(...row.map((box) => box.right)) < right - 1).length;
}"""


def box(within: "Page", selector: str) -> dict[str, Any]:
    """The box of an element, in pixels from the top left corner of the page."""
    found: dict[str, Any] = within.locator(selector).evaluate(
        "each => ({x: each.getBoundingClientRect().x, y: each.getBoundingClientRect().y + scrollY})"
    )
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_no_control_is_covered_by_another(console_at: ConsoleAt, width: int) -> None:
    with console_at(width) as page:
        press(card(page, "missing-param"), "Code")
        register(page, email="nobody")
        found = {view: page.evaluate(COVERED) for view in each_view(page)}
        assert {view: covered for view, covered in found.items() if covered} == {}


@pytest.mark.parametrize("width", [1200, 1440])
def test_a_message_covers_no_control(console_at: ConsoleAt, width: int) -> None:
    with console_at(width) as page:
        for status in load_statuses():
            press(card(page, status.slug), "Send it")
            told(page, f"{status.slug}: response {status.code}.")
            assert page.evaluate(MESSAGE) == [True, []]


def test_on_a_phone_a_message_covers_only_the_bar_and_lets_clicks_through(
    console_at: ConsoleAt,
) -> None:
    with console_at(390, 844) as page:
        press(page, "Send it")
        told(page, "action-successful: response 200.")
        bar = page.locator("header.top").bounding_box()
        assert bar is not None
        assert page.locator("#told").bounding_box() == bar
        page.get_by_role("button", name="Dark").click()
        assert page.locator("html").get_attribute("data-theme") == "dark"


def test_an_error_stays_until_it_is_closed_and_other_messages_go(console_at: ConsoleAt) -> None:
    with console_at(1280) as page:
        page.clock.install()
        page.reload()
        page.clock.resume()
        ready(page)
        press(go(page, "time"), "Freeze")
        told(page, "Time is frozen.")
        page.clock.fast_forward("10:00:00")
        page.locator("#told:empty").wait_for(state="attached")
        view = go(page, "people")
        view.get_by_label("E-mail of the user").fill("nobody@tests.test")
        press(view, "Mint")
        told(page, "no user has the address 'nobody@tests.test'. There are: ")
        page.clock.fast_forward("10:00:00")
        told(page, "no user has the address")
        press(page, "Close the message")
        page.locator("#told:empty").wait_for(state="attached")


def test_the_success_of_an_earlier_action_hides_no_error(console: "Page", world: str) -> None:
    held: list[Route] = []

    def hold(route: "Route") -> None:
        held.append(route)

    console.route("**/_mock/snapshots/*", hold)
    with console.expect_request("**/_mock/snapshots/*"):
        view = go(console, "worlds")
        view.get_by_label("Save this world as").fill(f"{world}-saved")
        press(view, "Save")
    view = go(console, "people")
    view.get_by_label("E-mail of the user").fill("nobody@tests.test")
    press(view, "Mint")
    told(console, "no user has the address")
    held[0].continue_()
    told(console, "This world was saved")
    told(console, "no user has the address")


def test_an_error_goes_when_the_next_action_begins(console: "Page") -> None:
    view = go(console, "people")
    for email, text in [
        ("nobody@tests.test", "no user has the address"),
        ("client@personas.test", "Minted"),
    ]:
        view.get_by_label("E-mail of the user").fill(email)
        press(view, "Mint")
        told(console, text)
    assert console.locator("#told [data-kind='bad']").count() == 0


@pytest.mark.parametrize("width", [390, 1000, 1440, 1900])
def test_what_a_card_opens_leaves_no_hole_and_the_card_in_its_place(
    console_at: ConsoleAt, width: int
) -> None:
    with console_at(width) as page:
        # What the cards show of the coverage comes later than the cards.
        page.locator(".met[data-met]").first.wait_for()
        slugs = page.locator("article[data-slug]").evaluate_all(
            "all => all.map(e => e.dataset.slug)"
        )
        for slug in reversed(slugs):
            place = f"article[data-slug='{slug}'] .card"
            before = box(page, place)
            press(card(page, slug), "Send it")
            card(page, slug).locator(".answer").wait_for()
            assert box(page, place) == before
            assert page.evaluate(HOLES) == 0


def test_focus_returns_to_the_card_whose_response_is_closed(console: "Page") -> None:
    press(card(console, "missing-param"), "Send it")
    press(card(console, "missing-param"), "Close the response")
    focused = console.locator("article[data-slug='missing-param'] :focus")
    assert focused.inner_text() == "Send it"


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 600), (390, 844)])
def test_the_button_of_the_form_is_in_sight_and_hides_no_field_with_the_focus(
    console_at: ConsoleAt, width: int, height: int
) -> None:
    with console_at(width, height) as page:
        go(page, "register")
        button = page.locator("#register-it").bounding_box()
        assert button is not None
        assert button["y"] + button["height"] <= height
        page.locator("[data-attr]").first.focus()
        for _ in range(page.locator("[data-attr]").count() - 1):
            page.keyboard.press("Tab")
            field = page.locator("[data-attr]:focus").bounding_box()
            bar = page.locator("#registration-actions").bounding_box()
            assert field is not None
            assert bar is not None
            assert field["y"] + field["height"] <= bar["y"]


def test_the_response_to_the_form_is_scrolled_into_sight(console_at: ConsoleAt, email: str) -> None:
    with console_at(390, 844) as page:
        assert "action-successful" in register(page, email=email)
        answer = page.locator("#registration-result h3").bounding_box()
        assert answer is not None
        assert 0 < answer["y"] < 844


def test_a_success_comes_first(console: "Page") -> None:
    slugs = [status.slug for status in load_statuses()]
    successes = [status.slug for status in load_statuses() if status.code < 300]
    expected = successes + [slug for slug in slugs if slug not in successes]
    assert console.locator("article[data-slug] h3").all_inner_texts() == expected
    options = go(console, "answers").locator("#item-slug option")
    assert options.evaluate_all("all => all.map(e => e.value)") == ["", *expected]


def test_a_row_of_the_traffic_shows_the_time_of_its_world(
    console: "Page", shared_stub: LiveStub, world: str
) -> None:
    clock = {"now": "2030-01-15T09:30:00Z", "frozen": True}
    shared_stub.control("PUT", "/clock", clock, world)
    shared_stub.registered("x", world)
    row = go(console, "traffic").locator("#rows li").first
    assert row.locator("time").inner_text() == "2030-01-15 09:30:00"
