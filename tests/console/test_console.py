"""The console as people use it: everything the stub can do, by clicking and typing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from support.archive import entries_of
from support.backend import Backend
from support.browser import card, go, line, press, ready, register, told, window
from support.command import reserved_port
from support.live import LiveStub

from clients_register.spec.statuses import load_statuses

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response, Route

SLUGS = [status.slug for status in load_statuses()]


def test_every_status_is_sent_by_its_card(console: "Page") -> None:
    for status in load_statuses():
        press(card(console, status.slug), "Send it")
        # A card with an answer takes a whole row, and the next cards move.
        assert line(console, status.slug) == f"{status.code} {status.slug} forced by prefer"


def test_every_cause_that_can_be_arranged_has_its_effect(console: "Page") -> None:
    causes = [slug for slug in SLUGS if slug != "email-already-registerd"]
    for slug in causes:
        # Not by the mouse: answers come meanwhile, and move the cards below from under it.
        causing = card(console, slug).get_by_role("button", name="Cause it naturally")
        causing.dispatch_event("click")
    found = {slug: line(console, slug).partition(" ")[2] for slug in causes}
    assert found == {slug: f"{slug} by the real rules" for slug in causes}


def test_a_success_can_be_caused_again(console: "Page") -> None:
    for _ in range(2):
        press(card(console, "action-successful"), "Cause it naturally")
        assert line(console, "action-successful") == "200 action-successful by the real rules"


def test_a_cause_leaves_the_faults_of_the_world_as_they_were(
    console: "Page", shared_stub: LiveStub, world: str
) -> None:
    faults = {"service_deployed": True, "route_deployed": True, "crash": None, "mail_failures": 7}
    shared_stub.control("PUT", "/faults", faults, world)
    press(card(console, "route-not-found"), "Cause it naturally")
    line(console, "route-not-found")
    assert shared_stub.control("GET", "/faults", world=world).json() == faults


def test_the_cards_are_filtered_by_word_and_by_code(console: "Page") -> None:
    console.get_by_label("Filter the statuses").fill("TOKEN")
    console.locator(".choices", has_text="401").get_by_text("401").click()
    shown = console.locator("article[data-slug]:visible h3").all_inner_texts()
    assert shown == ["invalid-token", "client-required"]


def test_every_status_is_had_by_an_address_in_the_form(console: "Page") -> None:
    for slug in SLUGS:
        answer = register(console, email=f"me+{slug}@status.test")
        assert slug in answer
        assert "forced by address" in answer


def test_a_registration_shows_in_the_outbox_and_in_the_traffic(console: "Page") -> None:
    answer = register(console, email="zoë@tests.test", first_name="Zoë 🌊")
    assert "action-successful" in answer
    letter = go(console, "outbox").locator(".letter")
    letter.wait_for()
    assert "zoë@tests.test" in letter.inner_text()
    row = go(console, "traffic").locator("#rows li").first
    row.locator("summary").click()
    row.locator(".why .passed").first.wait_for()
    assert row.locator(".why .passed").count() > 5
    assert "All rules passed." in row.inner_text()
    assert "Zoë 🌊" in row.inner_text()


def test_the_traffic_tells_what_stopped_a_request_and_what_would_be_next(
    console: "Page", shared_stub: LiveStub, world: str
) -> None:
    shared_stub.sent({"application": "planoauth", "client": {"email": "x"}, "view": "v"}, world)
    row = go(console, "traffic").locator("#rows li").first
    row.locator("summary").click()
    assert "client.email malformed" in row.locator(".stopped").inner_text()
    assert "client-validation-failed" in row.locator(".next").inner_text()


def test_the_traffic_is_saved_as_an_archive(
    console: "Page", shared_stub: LiveStub, world: str
) -> None:
    shared_stub.http.post(shared_stub.route(world), headers={"Prefer": "example=session-expired"})
    with console.expect_download() as saving:
        press(go(console, "traffic"), "Save as HAR")
    assert saving.value.suggested_filename == f"{world}.har"
    (entry,) = entries_of(json.loads(Path(saving.value.path()).read_text("utf-8")))
    assert entry["request"]["url"] == shared_stub.route(world)


def test_a_browser_replays_an_archive(
    chromium: "Browser", shared_stub: LiveStub, world: str, tmp_path: Path
) -> None:
    shared_stub.http.post(shared_stub.route(world), headers={"Prefer": "example=session-expired"})
    archive = tmp_path / "requests.har"
    archive.write_text(
        shared_stub.control("GET", "/requests?format=har", world=world).text, "utf-8"
    )
    before = shared_stub.control("GET", "/requests", world=world).json()
    with window(chromium, shared_stub.at("/_mock/openapi.json")) as page:
        page.route_from_har(archive, url="**/clients/register")
        status = page.evaluate(
            "async (url) => (await (await fetch(url, {method: 'POST'})).json()).status",
            shared_stub.route(world),
        )
    assert status == "session-expired"
    assert shared_stub.control("GET", "/requests", world=world).json() == before


def latest_request(chromium: "Browser", stub: LiveStub) -> str:
    """Opens the latest request in the traffic, and returns its text."""
    with window(chromium, stub.at("/_mock/")) as page:
        ready(page)
        row = go(page, "traffic").locator("#rows li").first
        row.locator("summary").click()
        # Browsers announce that a row was opened later than the click, and the page fills it then.
        row.locator(".why").wait_for()
        return row.inner_text()


def test_the_traffic_shows_what_was_forwarded(
    chromium: "Browser", start_stub: Callable[..., LiveStub]
) -> None:
    with Backend() as backend:
        stub = start_stub(upstream=backend.url)
        stub.http.get(stub.at("/projects"))
    text = latest_request(chromium, stub)
    assert "200" in text
    assert f"Forwarded to {backend.url}/projects" in text
    assert "Bodies of forwarded requests are not kept." in text


def test_the_traffic_shows_why_a_request_was_not_forwarded(
    chromium: "Browser", start_stub: Callable[..., LiveStub]
) -> None:
    with reserved_port() as port:
        stub = start_stub(upstream=f"http://127.0.0.1:{port}")
        stub.http.get(stub.at("/projects"))
    text = latest_request(chromium, stub)
    assert "problem reported by the stub" in text
    assert "Connection refused" in text


def test_errors_stand_beside_their_fields(console: "Page") -> None:
    register(console, email="no address", company_id="forty-two")
    faults = {
        field.get_attribute("data-attr"): field.locator("..").locator(".fault").inner_text()
        for field in console.locator("[aria-invalid]").all()
    }
    assert faults == {"client.email": "malformed", "client.company_id": "wrong type"}


def test_a_session_ends_when_the_clock_is_moved_on(console: "Page") -> None:
    # The personas' sessions count back from the first look at them.
    go(console, "people").locator("#session-rows tr").first.wait_for()
    press(go(console, "time"), "+72 hours")
    told(console, "The clock of this world was advanced")
    row = go(console, "people").locator("#session-rows tr", has_text="liaison-session").first
    row.locator("text=unused").wait_for()
    answer = register(console, token="liaison-session", email="someone@tests.test")
    assert "session-expired" in answer


def test_a_frozen_clock_stands_until_it_is_let_go(
    console: "Page", shared_stub: LiveStub, world: str
) -> None:
    view = go(console, "time")
    press(view, "Freeze")
    told(console, "Time is frozen.")
    assert shared_stub.control("GET", "/clock", world=world).json()["frozen"]
    view.get_by_label("Set to (UTC)").fill("2030-01-15T09:30:00")
    press(view, "Set")
    view.locator("#clock-time", has_text="09:30:00").wait_for()
    press(view, "Back to real time")
    view.locator("#clock-day:not(:has-text('2030-01-15'))").wait_for()
    assert not shared_stub.control("GET", "/clock", world=world).json()["frozen"]


def test_the_clock_is_frozen_before_the_page_has_read_it(
    console: "Page", shared_stub: LiveStub, world: str
) -> None:
    def hold_reading(route: "Route") -> None:
        if route.request.method != "GET":
            route.continue_()

    console.route("**/_mock/clock", hold_reading)
    with console.expect_request("**/_mock/clock"):
        console.reload()
    ready(console)
    press(go(console, "time"), "Freeze")
    told(console, "Time is frozen.")
    assert shared_stub.control("GET", "/clock", world=world).json()["frozen"]


def test_a_session_is_minted_in_the_state_asked_for(console: "Page") -> None:
    view = go(console, "people")
    view.get_by_label("Token", exact=True).fill("my token ü")
    view.get_by_label("State").select_option("too-old")
    press(view, "Mint")
    told(console, "Minted my token ü, too-old.")
    view.locator("#session-rows tr", has_text="my token ü").locator("text=too-old").wait_for()
    answer = register(console, token="my token ü", email="someone@tests.test")
    assert "session-expired" in answer


def test_a_persona_that_became_a_client_is_restored(console: "Page") -> None:
    row = go(console, "people").locator("#people-rows tr", has_text="liaison@personas.test")
    press(row, "Use liaison@personas.test in the form")
    assert "action-successful" in register(console)
    go(console, "people")
    row.locator("td", has_text="client ").wait_for()
    press(row, "Restore the persona liaison")
    row.locator("td:not(:has-text('client '))", has_text="liaison").last.wait_for()


def test_the_picture_of_the_coverage_follows_what_was_met(console: "Page") -> None:
    view = go(console, "coverage")
    view.locator("svg[aria-label='0 of 18 statuses met']").wait_for()
    register(console, email="missing-param@status.test")
    register(console, email="nobody")
    go(console, "coverage")
    view.locator("svg[aria-label='2 of 18 statuses met']").wait_for()
    assert view.locator("path.forced").get_attribute("data-slug") == "missing-param"
    assert view.locator("path.natural").get_attribute("data-slug") == "invalid-param"
    assert "1 forced" in view.locator("li", has_text="missing-param").inner_text()


def test_a_script_and_a_fault_are_set_and_taken_back(console: "Page") -> None:
    view = go(console, "answers")
    view.get_by_label("The service is deployed").click()
    told(console, "The faults of this world were changed.")
    view.get_by_label("Status").select_option("client-required")
    press(view, "Add to the script")
    view.locator("#items li", has_text="client-required").wait_for()
    assert "client-required" in register(console, email="a@tests.test")
    assert "service-not-found" in register(console)
    press(go(console, "answers"), "Clear the faults")
    told(console, "The faults of this world were cleared.")
    assert "action-successful" in register(console)


def test_a_fault_is_added_to_those_that_others_have_set(
    console: "Page", shared_stub: LiveStub, world: str
) -> None:
    with console.expect_response("**/_mock/faults"):
        view = go(console, "answers")
    shared_stub.control("PUT", "/faults", {"mail_failures": 3}, world=world)
    view.get_by_label("The service is deployed").click()
    told(console, "The faults of this world were changed.")
    found = shared_stub.control("GET", "/faults", world=world).json()
    assert (found["service_deployed"], found["mail_failures"]) == (False, 3)


def test_two_faults_set_at_once_both_hold(
    console: "Page", shared_stub: LiveStub, world: str
) -> None:
    view = go(console, "answers")
    view.evaluate("shown => shown.querySelectorAll('[role=switch]').forEach(each => each.click())")
    view.locator("#faults-count", has_text="2").wait_for()
    found = shared_stub.control("GET", "/faults", world=world).json()
    assert (found["service_deployed"], found["route_deployed"]) == (False, False)


def test_what_was_read_before_a_change_never_hides_it(console: "Page") -> None:
    held: list[Route] = []

    def hold_the_first(route: "Route") -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    console.route("**/_mock/next", hold_the_first)
    with console.expect_request("**/_mock/next"):
        view = go(console, "answers")
    press(view, "Add to the script")
    item = view.locator("#items li", has_text="the real rules")
    item.wait_for()
    (earlier,) = held

    def read_again(answer: "Response") -> bool:
        return answer.url.endswith("/next") and answer.request != earlier.request

    with console.expect_response(read_again):
        earlier.fulfill(json=[])
    item.wait_for()


def test_a_world_is_made_visited_and_deleted(console: "Page", world: str) -> None:
    other = f"{world}-copy"
    register(console, email="moved@tests.test")
    view = go(console, "worlds")
    view.get_by_text("At most 1000, this one included.").wait_for()
    view.get_by_label("New world").fill(other)
    view.get_by_label("As a copy of").select_option(label=world)
    press(view, "Create")
    view.get_by_role("link", name=f"Open {other}", exact=True).click()
    console.wait_for_url(f"**/_world/{other}/_mock/#worlds")
    ready(console)
    assert "email-already-registered" in register(console, email="moved@tests.test")
    console.go_back()
    console.goto(console.url.replace(other, world))
    ready(console)
    row = go(console, "worlds").locator("#world-rows tr", has_text=other)
    press(row, f"Delete {other}")
    press(row, f"Delete it? Delete {other}")
    told(console, f"The world {other} was deleted.")
    row.wait_for(state="detached")


def test_a_world_is_saved_restored_and_copied_from_its_snapshot(
    console: "Page", world: str
) -> None:
    saved, other = f"{world}-saved", f"{world}-other"
    register(console, email="kept@tests.test")
    view = go(console, "worlds")
    view.get_by_label("Save this world as").fill(saved)
    press(view, "Save")
    row = view.locator("#snapshot-rows tr", has=console.get_by_text(saved, exact=True))
    row.wait_for()
    assert row.locator("[data-label='Of world']").inner_text() == world
    register(console, email="lost@tests.test")
    go(console, "worlds")
    press(row, f"Restore {saved}")
    press(row, f"Replace this world? Restore {saved}")
    told(console, f"This world was restored from {saved}.")
    assert "action-successful" in register(console, email="lost@tests.test")
    assert "email-already-registered" in register(console, email="kept@tests.test")
    go(console, "worlds")
    view.get_by_label("New world").fill(other)
    view.get_by_label("As a copy of").select_option(label=f"snapshot {saved}")
    press(view, "Create")
    copied = view.locator("#world-rows tr", has=console.get_by_text(other, exact=True))
    clients = row.locator("[data-label='Clients']").inner_text()
    # While it is being copied, the world is listed without its number of clients.
    copied.locator("[data-label='Clients']").get_by_text(clients, exact=True).wait_for()
    press(row, f"Delete the snapshot {saved}")
    press(row, f"Delete it? Delete the snapshot {saved}")
    told(console, f"The snapshot {saved} was deleted.")
    row.wait_for(state="detached")


def test_a_question_stays_while_requests_arrive(
    console: "Page", shared_stub: LiveStub, world: str, email: str
) -> None:
    saved = f"{world}-saved"
    with console.expect_response("**/_mock/snapshots"):
        view = go(console, "worlds")
    view.get_by_label("Save this world as").fill(saved)
    press(view, "Save")
    row = view.locator("#snapshot-rows tr", has=console.get_by_text(saved, exact=True))
    press(row, f"Restore {saved}")
    # A request lets the page read the view again.
    with console.expect_response("**/_mock/snapshots"):
        shared_stub.registered(email, world)
    press(row, f"Replace this world? Restore {saved}")
    told(console, f"This world was restored from {saved}.")


def test_a_world_is_reset(console: "Page", shared_stub: LiveStub, world: str) -> None:
    register(console, email="gone@tests.test")
    view = go(console, "worlds")
    press(view, "Reset this world")
    press(view, "Reset everything?")
    told(console, "This world was reset.")
    found = shared_stub.control("GET", "/clients?email=gone@tests.test", world=world).json()
    assert found == []


def test_a_card_is_reached_and_pressed_by_keyboard_alone(console: "Page") -> None:
    console.keyboard.press("Tab")
    assert console.evaluate("document.activeElement.textContent") == "Skip to content"
    console.keyboard.press("Enter")
    focused = "document.activeElement.closest('article')?.dataset.slug"
    for _ in range(8):
        console.keyboard.press("Tab")
        if console.evaluate(focused):
            break
    slug = console.evaluate(focused)
    assert console.evaluate("document.activeElement.textContent") == "Send it"
    console.keyboard.press("Enter")
    card(console, slug).locator(".answer").wait_for()


def test_the_focus_stays_on_its_control_while_requests_arrive(
    console: "Page", shared_stub: LiveStub, world: str, email: str
) -> None:
    view = go(console, "people")
    view.locator("#people-rows tr").first.wait_for()
    view.get_by_role("button", name="Restore the persona liaison", exact=True).focus()
    shared_stub.registered(email, world)
    view.locator("#people-rows tr", has_text=email).wait_for()
    assert view.locator(":focus").get_attribute("aria-label") == "Restore the persona liaison"


def test_the_focus_goes_to_the_heading_when_its_row_is_deleted(
    console: "Page", shared_stub: LiveStub, world: str
) -> None:
    shared_stub.control("PUT", f"/snapshots/{world}-saved", world=world)
    view = go(console, "worlds")
    view.get_by_role("button", name=f"Delete the snapshot {world}-saved").focus()
    for _ in range(2):
        console.keyboard.press("Enter")
    told(console, f"The snapshot {world}-saved was deleted.")
    view.locator("h2:focus").wait_for()
