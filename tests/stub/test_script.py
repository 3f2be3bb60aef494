"""A script of next answers: each item as often, as late, and as seldom as it says."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.live import LiveStub, registration

from clients_register.handlers.stub.state import Script, ScriptItem

REAL = "no-params-decoded"


def scripted(*items: Any) -> Script:
    script = Script()
    script.items = list(items)
    return script


def answers(script: Script, count: int) -> list[str | None]:
    """The slugs of the next `count` answers; None for a real one."""
    taken = (script.next() for _ in range(count))
    return [item.slug if item else None for item in taken]


def test_items_are_used_up_in_order() -> None:
    script = scripted(ScriptItem("a"), ScriptItem("b"))
    assert answers(script, 3) == ["a", "b", None]


def test_an_item_counts_as_often_as_it_says() -> None:
    assert answers(scripted(ScriptItem("a", times=2), ScriptItem("b")), 4) == ["a", "a", "b", None]


def test_real_answers_pass_before_an_item() -> None:
    assert answers(scripted(ScriptItem("a", after=2), ScriptItem("b")), 5) == [
        None,
        None,
        "a",
        "b",
        None,
    ]


def test_a_share_of_the_answers_is_struck_and_the_same_ones_each_time() -> None:
    runs = [
        answers(scripted(ScriptItem("a", times=1000, rate=0.3, seed=7)), 1000) for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert 250 < runs[0].count("a") < 350


def test_another_seed_strikes_others() -> None:
    runs = [
        answers(scripted(ScriptItem("a", times=50, rate=0.5, seed=seed)), 50) for seed in (1, 2)
    ]
    assert runs[0] != runs[1]


@pytest.mark.parametrize(("rate", "count"), [(0, 0), (1, 20)])
def test_none_or_all_can_be_struck(rate: float, count: int) -> None:
    assert answers(scripted(ScriptItem("a", times=20, rate=rate)), 20).count("a") == count


def test_a_copy_goes_on_where_the_script_stands() -> None:
    script = scripted(ScriptItem("a", times=100, rate=0.5, seed=3))
    answers(script, 10)
    copy = Script()
    copy.copy_from(script)
    assert answers(copy, 90) == answers(script, 90)


def test_only_posts_to_the_route_without_a_forcing_preference_use_an_item(
    shared_stub: LiveStub, world: str
) -> None:
    shared_stub.control("PUT", "/next", ["missing-param"], world)
    shared_stub.http.get(shared_stub.route(world))
    shared_stub.http.options(
        shared_stub.route(world),
        headers={"Origin": "http://x.test", "Access-Control-Request-Method": "POST"},
    )
    shared_stub.http.post(shared_stub.at("/nowhere", world))
    shared_stub.sent({}, world, {"Prefer": "code=200"})
    shared_stub.sent({}, world, {"Prefer": "example=none-such"})
    assert len(shared_stub.control("GET", "/next", world=world).json()) == 1
    waiting = shared_stub.sent({}, world, {"Prefer": "wait=0"})
    assert waiting.json()["status"] == "missing-param"
    assert shared_stub.control("GET", "/next", world=world).json() == []


def test_concurrent_requests_get_each_item_once(shared_stub: LiveStub, world: str) -> None:
    slugs = ["missing-param", "invalid-param", "invalid-token"] * 4
    shared_stub.control("PUT", "/next", slugs, world)
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: shared_stub.sent({}, world), range(16)))
    assert sorted(answer.json()["status"] for answer in answers) == sorted([*slugs, *[REAL] * 4])


def test_a_script_takes_the_place_of_the_one_before(shared_stub: LiveStub, world: str) -> None:
    shared_stub.control("PUT", "/next", ["missing-param", "invalid-param"], world)
    shared_stub.control("PUT", "/next", ["invalid-token"], world)
    assert shared_stub.sent({}, world).json()["status"] == "invalid-token"
    assert shared_stub.sent({}, world).json()["status"] == REAL


def test_a_script_with_an_unknown_status_changes_nothing(shared_stub: LiveStub, world: str) -> None:
    shared_stub.control("PUT", "/next", ["missing-param"], world)
    refused = shared_stub.control("PUT", "/next", ["invalid-token", {"slug": "nonsense"}], world)
    assert refused.status_code == 400
    assert "item 1" in refused.json()["detail"]
    assert shared_stub.sent({}, world).json()["status"] == "missing-param"


def test_what_is_left_of_a_script_tells_how_often_each_item_was_used(
    shared_stub: LiveStub, world: str
) -> None:
    items = [{"slug": "missing-param", "times": 3}, {"slug": "invalid-token", "after": 1}]
    shared_stub.control("PUT", "/next", items, world)
    for _ in range(2):
        shared_stub.sent({}, world)
    left = shared_stub.control("GET", "/next", world=world).json()
    assert [(item["times"], item["used"]) for item in left] == [(1, 2), (1, 0)]


def test_a_delayed_item_without_a_status_delays_the_real_answer(
    shared_stub: LiveStub, world: str
) -> None:
    shared_stub.control("PUT", "/next", [{"delay": 0.2}], world)
    assert shared_stub.sent({}, world).json()["status"] == REAL
    (entry,) = shared_stub.control("GET", "/requests", world=world).json()
    assert entry["milliseconds"] >= 200


def test_a_script_can_be_taken_back(shared_stub: LiveStub, world: str, email: str) -> None:
    shared_stub.control("PUT", "/next", ["missing-param"], world)
    assert shared_stub.control("DELETE", "/next", world=world).json() == []
    assert shared_stub.sent(registration(email), world).status_code == 200
