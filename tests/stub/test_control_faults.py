"""The fault switches: each status that needs a broken server, by its natural cause."""

from typing import Any

import pytest
from support.live import LiveStub, registration

WHOLE = {"service_deployed": True, "route_deployed": True, "crash": None, "mail_failures": 0}

CAUSES: list[tuple[dict[str, Any], str]] = [
    ({"service_deployed": False}, "service-not-found"),
    ({"route_deployed": False}, "route-not-found"),
    ({"service_deployed": False, "route_deployed": False}, "service-not-found"),
    ({"crash": "before-routing"}, "identify-request-error"),
    ({"crash": "in-handler"}, "application-crash"),
    ({"mail_failures": 1}, "mandrill-email-failed"),
    ({"crash": "in-handler", "mail_failures": 1}, "application-crash"),
]


@pytest.mark.parametrize(("switches", "status"), CAUSES, ids=str)
def test_a_fault_has_its_status_and_nothing_is_forced(
    shared_stub: LiveStub, world: str, email: str, switches: dict[str, Any], status: str
) -> None:
    shown = shared_stub.control("PUT", "/faults", switches, world)
    assert shown.json() == WHOLE | switches
    answer = shared_stub.sent(registration(email), world)
    assert (answer.status_code, answer.json()) == (500, {"code": 500, "status": status})
    assert "Mock-Forced" not in answer.headers


@pytest.mark.parametrize("switches", [switches for switches, _ in CAUSES], ids=str)
def test_once_it_is_deleted_all_is_whole(
    shared_stub: LiveStub, world: str, email: str, switches: dict[str, Any]
) -> None:
    shared_stub.control("PUT", "/faults", switches, world)
    assert shared_stub.control("DELETE", "/faults", world=world).json() == WHOLE
    assert shared_stub.control("GET", "/faults", world=world).json() == WHOLE
    assert shared_stub.registered(email, world) == "action-successful"


def test_what_is_left_out_is_whole(shared_stub: LiveStub, world: str) -> None:
    shared_stub.control("PUT", "/faults", {"route_deployed": False, "mail_failures": 3}, world)
    shown = shared_stub.control("PUT", "/faults", {"mail_failures": 2}, world)
    assert shown.json() == WHOLE | {"mail_failures": 2}


def test_as_many_mails_fail_as_were_asked_for(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    shared_stub.control("PUT", "/faults", {"mail_failures": 2}, world)
    met = [shared_stub.registered(f"{number}.{email}", world) for number in range(3)]
    assert met == ["mandrill-email-failed", "mandrill-email-failed", "action-successful"]
    assert len(shared_stub.control("GET", "/outbox", world=world).json()) == 1
    assert shared_stub.registered(f"0.{email}", world) == "email-already-registered"


def test_a_crash_in_the_handler_strikes_after_the_rules_and_stores_nothing(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    shared_stub.control("PUT", "/faults", {"crash": "in-handler"}, world)
    assert shared_stub.registered("client@personas.test", world) == "email-already-registered"
    assert shared_stub.registered(email, world, client={"password": ""}) == (
        "client-validation-failed"
    )
    assert shared_stub.registered(email, world) == "application-crash"
    assert shared_stub.control("GET", f"/clients?email={email}", world=world).json() == []


def test_a_crash_before_routing_strikes_whatever_is_asked(
    shared_stub: LiveStub, world: str
) -> None:
    shared_stub.control("PUT", "/faults", {"crash": "before-routing"}, world)
    for method, path in [("GET", "/"), ("DELETE", "/api/v1/clients/register"), ("POST", "/x")]:
        answer = shared_stub.http.request(method, shared_stub.at(path, world))
        assert answer.json() == {"code": 500, "status": "identify-request-error"}


@pytest.mark.parametrize("crash", ["before-routing", "in-handler"])
def test_a_requested_crash_is_one_line_in_the_log(
    shared_stub: LiveStub, world: str, email: str, crash: str, caplog: pytest.LogCaptureFixture
) -> None:
    shared_stub.control("PUT", "/faults", {"crash": crash}, world)
    answer = shared_stub.sent(registration(email), world)
    (message,) = caplog.messages
    assert message.startswith(f"{answer.headers['X-Request-Id']}: crash")
    assert message.endswith(": requested by the faults of the world")
    assert "\n" not in message


def test_a_refused_write_leaves_the_faults_as_they_are(shared_stub: LiveStub, world: str) -> None:
    shared_stub.control("PUT", "/faults", {"mail_failures": 2}, world)
    shared_stub.control("PUT", "/faults", {"mail_failures": -1}, world)
    assert shared_stub.control("GET", "/faults", world=world).json()["mail_failures"] == 2


def test_a_world_is_not_broken_by_the_faults_of_another(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    shared_stub.control("PUT", "/faults", {"crash": "before-routing"}, world)
    assert shared_stub.registered(email, f"{world}-other") == "action-successful"
