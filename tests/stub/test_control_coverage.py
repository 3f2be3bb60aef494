"""Coverage: which statuses the callers of a world have met, and which a CI still waits for."""

from typing import Any

import pytest
from support.live import LiveStub, registration

from clients_register.spec.statuses import load_statuses

SLUGS = [row.slug for row in load_statuses()]
COMMON = [row.slug for row in load_statuses() if not row.uncommon]
SPELLINGS = {"email-already-registered", "email-already-registerd"}


def coverage(stub: LiveStub, world: str | None, query: str = "") -> tuple[int, dict[str, Any]]:
    answer = stub.control("GET", f"/coverage{query}", world=world)
    return answer.status_code, answer.json()


def force(stub: LiveStub, world: str | None, *slugs: str) -> None:
    for slug in slugs:
        assert stub.sent({}, world, {"Prefer": f"example={slug}"}).json()["status"] == slug


def counts(shown: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Slug -> natural and forced, of those met."""
    return {
        row["slug"]: (row["natural"], row["forced"])
        for row in shown["statuses"]
        if row["natural"] or row["forced"]
    }


def test_at_first_nothing_is_met(shared_stub: LiveStub, world: str) -> None:
    code, shown = coverage(shared_stub, world)
    assert (code, shown["met"], shown["of"], shown["missing"]) == (200, 0, 18, SLUGS)
    assert [row["slug"] for row in shown["statuses"]] == SLUGS


def test_natural_and_forced_answers_are_counted_apart(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    shared_stub.registered(email, world)
    shared_stub.sent({}, world)
    force(shared_stub, world, "no-params-decoded", "no-params-decoded", "session-expired")
    shared_stub.control("PUT", "/next", ["client-required"], world)
    shared_stub.sent({}, world)
    shared_stub.registered("invalid-token@status.test", world)
    _, shown = coverage(shared_stub, world)
    assert counts(shown) == {
        "action-successful": (1, 0),
        "no-params-decoded": (1, 2),
        "session-expired": (0, 1),
        "client-required": (0, 1),
        "invalid-token": (0, 1),
    }
    assert shown["met"] == 5


def test_a_problem_of_the_stub_meets_nothing(shared_stub: LiveStub, world: str) -> None:
    shared_stub.sent({}, world, {"Prefer": "example=unheard-of"})
    shared_stub.control("GET", "/unheard-of", world=world)
    assert coverage(shared_stub, world)[1]["met"] == 0


def test_all_is_required_of_a_ci_that_says_so(shared_stub: LiveStub, world: str) -> None:
    force(shared_stub, world, *SLUGS[:-2])
    code, shown = coverage(shared_stub, world, "?require=all")
    assert code == 409
    assert shown["missing"] == [slug for slug in SLUGS[-2:] if slug not in SPELLINGS]
    force(shared_stub, world, *SLUGS[-2:])
    code, shown = coverage(shared_stub, world, "?require=all")
    assert (code, shown["missing"], shown["met"]) == (200, [], 18)


def test_common_are_the_thirteen_that_are_not_called_uncommon(
    shared_stub: LiveStub, world: str
) -> None:
    assert len(COMMON) == 13
    code, shown = coverage(shared_stub, world, "?require=common")
    assert (code, shown["missing"]) == (409, COMMON)
    force(shared_stub, world, *COMMON)
    code, shown = coverage(shared_stub, world, "?require=common")
    assert (code, shown["missing"]) == (200, [])


@pytest.mark.parametrize("separator", [",", ", "])
def test_a_list_is_what_is_required(shared_stub: LiveStub, world: str, separator: str) -> None:
    force(shared_stub, world, "invalid-token")
    wanted = ["missing-param", "invalid-token"]
    code, shown = coverage(shared_stub, world, f"?require={separator.join(wanted)}")
    assert (code, shown["missing"]) == (409, ["missing-param"])
    force(shared_stub, world, "missing-param")
    assert coverage(shared_stub, world, f"?require={separator.join(wanted)}")[0] == 200


@pytest.mark.parametrize("spelling", sorted(SPELLINGS))
def test_either_spelling_counts_for_both(shared_stub: LiveStub, world: str, spelling: str) -> None:
    force(shared_stub, world, spelling)
    code, shown = coverage(shared_stub, world, f"?require={','.join(sorted(SPELLINGS))}")
    assert (code, shown["missing"], shown["met"]) == (200, [], 2)
    assert counts(shown) == {spelling: (0, 1)}


def test_natural_counts_only_what_was_earned(shared_stub: LiveStub, world: str) -> None:
    force(shared_stub, world, "missing-param", "no-params-decoded")
    shared_stub.sent({}, world)
    query = "?require=missing-param,no-params-decoded&natural=true"
    code, shown = coverage(shared_stub, world, query)
    assert (code, shown["missing"], shown["met"]) == (409, ["missing-param"], 1)
    assert coverage(shared_stub, world, query.replace("true", "false"))[0] == 200


def test_the_default_worlds_figures_are_the_sum_of_all_deleted_ones_included(
    stub: LiveStub,
) -> None:
    force(stub, None, "missing-param")
    force(stub, "Ann", "missing-param", "invalid-param")
    force(stub, "Bob", "session-expired")
    stub.control("DELETE", "/worlds/Bob")
    assert counts(coverage(stub, None)[1]) == {
        "missing-param": (0, 2),
        "invalid-param": (0, 1),
        "session-expired": (0, 1),
    }
    assert counts(coverage(stub, "Ann")[1]) == {"missing-param": (0, 1), "invalid-param": (0, 1)}
    assert counts(coverage(stub, "Bob")[1]) == {}


def test_what_a_world_forgets_is_forgotten_there(shared_stub: LiveStub, world: str) -> None:
    force(shared_stub, world, "missing-param")
    force(shared_stub, f"{world}-other", "missing-param")
    assert shared_stub.control("DELETE", "/coverage", world=world).status_code == 204
    assert coverage(shared_stub, world)[1]["met"] == 0
    assert coverage(shared_stub, f"{world}-other")[1]["met"] == 1


def test_what_the_default_world_forgets_is_forgotten_everywhere(stub: LiveStub) -> None:
    force(stub, None, "missing-param")
    force(stub, "Ann", "missing-param")
    force(stub, "Bob", "missing-param")
    stub.control("DELETE", "/worlds/Bob")
    stub.control("DELETE", "/coverage")
    assert coverage(stub, None)[1]["met"] == 0
    assert coverage(stub, "Ann")[1]["met"] == 0


def test_the_statuses_tell_of_each_how_to_have_it(shared_stub: LiveStub, world: str) -> None:
    rows = {row["slug"]: row for row in shared_stub.control("GET", "/statuses").json()}
    assert list(rows) == SLUGS
    for slug, row in rows.items():
        met = shared_stub.sent(registration(row["address"]), world)
        assert (met.status_code, met.json()) == (row["code"], row["example"])
        assert met.json()["status"] == slug


@pytest.mark.parametrize("slug", [slug for slug in SLUGS if slug != "email-already-registerd"])
def test_the_request_of_a_status_causes_it_once_its_faults_are_set(
    shared_stub: LiveStub, world: str, slug: str
) -> None:
    rows = {row["slug"]: row for row in shared_stub.control("GET", "/statuses").json()}
    row = rows[slug]
    shared_stub.control("PUT", "/faults", row["arrange"], world)
    request = row["request"]
    answer = shared_stub.http.request(
        request["method"],
        shared_stub.at(request["path"], world),
        headers=request["headers"],
        content=request["body"].encode(),
    )
    assert (answer.status_code, answer.json()["status"]) == (row["code"], slug)
    assert "Mock-Forced" not in answer.headers
