"""The clock of a world: set, advanced, frozen, and back only by DELETE."""

from typing import Any

import pytest
from support.live import START, LiveStub, registration

from clients_register.handlers.models import format_time


def clock(stub: LiveStub, world: str, **asked: Any) -> dict[str, Any]:
    """Returns the clock of a world, after setting it to what was `asked`, if anything."""
    answer = stub.control("PUT" if asked else "GET", "/clock", asked or None, world)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def test_at_first_it_shows_the_time_of_this_machine(shared_stub: LiveStub, world: str) -> None:
    shared_stub.clock.advance(hours=1)
    assert clock(shared_stub, world) == {
        "now": format_time(shared_stub.clock.now()),
        "frozen": False,
        "ahead": 0,
    }


def test_a_set_clock_goes_on_ticking_from_there(stub: LiveStub, world: str) -> None:
    assert clock(stub, world, now="2030-01-01T00:00:00+01:00")["now"] == "2029-12-31T23:00:00.000Z"
    stub.clock.advance(seconds=90)
    assert clock(stub, world)["now"] == "2029-12-31T23:01:30.000Z"


def test_a_frozen_clock_stands_until_it_is_thawed_and_ticks_on_from_there(
    stub: LiveStub, world: str
) -> None:
    assert clock(stub, world, frozen=True) == {
        "now": format_time(START),
        "frozen": True,
        "ahead": 0,
    }
    stub.clock.advance(hours=2)
    assert clock(stub, world) == {"now": format_time(START), "frozen": True, "ahead": -7200}
    clock(stub, world, frozen=False)
    stub.clock.advance(seconds=1)
    shown = clock(stub, world)
    assert (shown["now"], shown["frozen"]) == ("2026-01-15T09:30:01.000Z", False)


def test_a_frozen_clock_can_be_advanced_and_set_and_stays_frozen(
    stub: LiveStub, world: str
) -> None:
    clock(stub, world, frozen=True)
    stub.clock.advance(hours=2)
    assert clock(stub, world, advance="PT1S")["now"] == "2026-01-15T09:30:01.000Z"
    assert clock(stub, world, now="2026-01-16T00:00:00Z")["frozen"] is True
    stub.clock.advance(hours=2)
    assert clock(stub, world)["now"] == "2026-01-16T00:00:00.000Z"


def test_one_request_may_set_and_freeze(stub: LiveStub, world: str) -> None:
    clock(stub, world, now="2030-01-15T09:30:00.250Z", frozen=True)
    stub.clock.advance(days=1)
    assert clock(stub, world)["now"] == "2030-01-15T09:30:00.250Z"


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("P1W", 604800),
        ("P8D", 691200),
        ("P1W1D", 691200),
        ("PT72H", 259200),
        ("PT90M", 5400),
        ("PT0.5S", 0.5),
        ("PT0S", 0),
        ("P1DT2H3M4.005S", 93784.005),
    ],
)
def test_it_is_advanced_by_durations_from_weeks_to_seconds(
    stub: LiveStub, world: str, duration: str, seconds: float
) -> None:
    assert clock(stub, world, advance=duration)["ahead"] == seconds


def test_advances_add_up(stub: LiveStub, world: str) -> None:
    clock(stub, world, advance="P1D")
    assert clock(stub, world, advance="P1D")["ahead"] == 2 * 86400


@pytest.mark.parametrize(
    "asked",
    [
        *(
            {"advance": duration}
            for duration in (
                *("", "P", "PT", "P1DT", "P1Y", "P1M", "-P1D", "P-1D", "P1.5D", "1D", "p1d"),
                *("P1D ", "PT1S2M", "P999999W", f"P{'9' * 400}W", "PT1.0005S"),
            )
        ),
        *(
            {"now": moment}
            for moment in (
                *("", "now", "2030-01-15", "2030-01-15T09:30:00", "2030-13-01T00:00:00Z"),
                *("1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"),
            )
        ),
    ],
    ids=lambda asked: str(asked)[:40],
)
def test_an_absurd_time_is_refused_and_the_clock_stays(
    shared_stub: LiveStub, world: str, asked: dict[str, str]
) -> None:
    before = clock(shared_stub, world)
    answer = shared_stub.control("PUT", "/clock", asked | {"frozen": True}, world)
    assert answer.status_code == 400
    assert clock(shared_stub, world) == before


def test_a_clock_may_be_set_to_the_past_once(stub: LiveStub, world: str) -> None:
    assert clock(stub, world, now="2020-01-01T00:00:00Z")["ahead"] < 0


@pytest.mark.parametrize(
    "first",
    [{"now": "2030-01-01T00:00:00Z"}, {"advance": "P9999D"}, {"frozen": True}],
    ids=str,
)
def test_a_clock_that_was_set_goes_back_only_by_delete(
    stub: LiveStub, world: str, first: dict[str, Any]
) -> None:
    before = clock(stub, world, **first)
    back = {"now": "2025-01-01T00:00:00Z"}
    refused = stub.control("PUT", "/clock", back, world)
    assert (refused.status_code, refused.headers["Mock-Error"]) == (409, "time-goes-back")
    assert "DELETE" in refused.json()["hint"]
    assert clock(stub, world) == before
    restored = stub.control("DELETE", "/clock", world=world).json()
    assert restored == {"now": format_time(START), "frozen": False, "ahead": 0}
    assert clock(stub, world, **back)["now"] == "2025-01-01T00:00:00.000Z"


def test_each_world_has_a_clock_of_its_own(stub: LiveStub, world: str) -> None:
    clock(stub, world, advance="P1D", frozen=True)
    assert stub.control("GET", "/clock").json()["ahead"] == 0
    assert clock(stub, f"{world}-other")["frozen"] is False


def test_the_route_goes_by_the_clock(stub: LiveStub, world: str, email: str) -> None:
    clock(stub, world, now="2030-05-06T07:08:09.010Z", frozen=True)
    envelope = stub.sent(registration(email), world).json()
    assert envelope["data"]["created_at"] == "2030-05-06T07:08:09.010Z"
    assert envelope["session"]["expires_at"] == "2030-05-09T07:08:09.010Z"


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "9000-01-01T00:00:00Z"])
def test_the_route_works_at_both_ends_of_the_calendar(
    stub: LiveStub, world: str, email: str, moment: str
) -> None:
    clock(stub, world, now=moment)
    assert stub.registered(email, world) == "action-successful"
    for state in ("live", "too-old", "unused", "remembered"):
        minted = stub.control("PUT", f"/sessions/{state}", {"email": email, "state": state}, world)
        assert minted.json()[0]["state"] == state
