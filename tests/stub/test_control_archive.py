"""The request log as an HTTP Archive, which the developer tools of browsers import."""

import json
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from support.archive import entries_of, header
from support.live import PASSWORD, LiveStub, encoded, registration


def archived(stub: LiveStub, world: str, query: str = "") -> list[dict[str, Any]]:
    path = f"/requests?format=har{query}"
    return entries_of(stub.control("GET", path, world=world).json())


def only_entry(stub: LiveStub, world: str) -> dict[str, Any]:
    (entry,) = archived(stub, world)
    return entry


def test_an_entry_has_the_request_and_the_response(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    answer = shared_stub.sent(registration(email), world, {"User-Agent": "tests"})
    entry = only_entry(shared_stub, world)
    request, response = entry["request"], entry["response"]
    assert (request["method"], request["url"]) == ("POST", shared_stub.route(world))
    assert (header(request, "user-agent"), request["postData"]["mimeType"]) == (
        "tests",
        "text/plain",
    )
    assert (response["status"], response["statusText"]) == (200, "OK")
    assert header(response, "x-request-id") == answer.headers["X-Request-Id"]
    shown, received = json.loads(response["content"]["text"]), answer.json()
    assert received["session"].pop("token") != shown["session"].pop("token")
    assert shown == received
    assert entry["time"] == entry["timings"]["wait"] > 0


def test_the_parameters_are_encoded_as_the_route_takes_them(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    sent = registration(email, first_name="Zoë")
    shared_stub.sent(sent, world)
    post_data = only_entry(shared_stub, world)["request"]["postData"]
    shown = json.loads(b64decode(post_data["text"]))
    assert shown["client"].pop("password") == "[hidden]"
    del sent["client"]["password"]
    assert shown == sent


# Where a request can have a secret, apart from its parameters.
SECRET = "s3cr3t"
PLACES = {
    "header": ("", {"Authorization": f"Bearer {SECRET}"}),
    "cookie": ("", {"Cookie": f"sid={SECRET}"}),
    "own header": ("", {"X-Api-Key": SECRET}),
    "referrer": ("", {"Referer": f"http://localhost/page?a=1&token={SECRET}#end"}),
    "query": (f"?a=1&session%5Ftoken={SECRET}", {}),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_of_the_head_is_hidden(
    shared_stub: LiveStub, world: str, email: str, place: str
) -> None:
    query, headers = PLACES[place]
    url = shared_stub.route(world) + query
    shared_stub.http.post(url, content=encoded(registration(email)), headers=headers)
    text = json.dumps(archived(shared_stub, world))
    assert "[hidden]" in text
    assert SECRET not in text


BODIES = {
    "parameters": encoded(registration("a@b.test")),
    "a list": encoded([{"password": PASSWORD}]),
    "a member twice": b64encode(b'{"password": "%b", "password": ""}' % PASSWORD.encode()),
    "not encoded": b'{"client": {"password": "%b"}}' % PASSWORD.encode(),
    "no JSON": b64encode(PASSWORD.encode()),
    "text": encoded(PASSWORD),
    "not UTF-8": b64encode(b"\xff" + PASSWORD.encode()),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_password_in_any_body_is_hidden(shared_stub: LiveStub, world: str, body: bytes) -> None:
    shared_stub.http.post(shared_stub.route(world), content=body)
    entry = only_entry(shared_stub, world)
    shown = entry["request"].get("postData", {}).get("text", "")
    for text in (json.dumps(entry), b64decode(shown).decode()):
        assert PASSWORD not in text
    assert body.decode() not in shown
    assert entry["request"]["bodySize"] == len(body)
    assert "request body" in entry["comment"]


def test_a_request_without_a_body_has_none(shared_stub: LiveStub, world: str) -> None:
    shared_stub.http.post(shared_stub.route(world), headers={"Prefer": "code=401"})
    request = only_entry(shared_stub, world)["request"]
    assert "postData" not in request
    assert (request["bodySize"], header(request, "prefer")) == (0, "code=401")


def test_a_simulated_fault_is_named(shared_stub: LiveStub, world: str, email: str) -> None:
    shared_stub.control("PUT", "/next", [{"fault": "truncated"}], world=world)
    with suppress(httpx2.RemoteProtocolError):
        shared_stub.sent(registration(email), world)
    assert only_entry(shared_stub, world)["response"]["_error"] == "simulated fault: truncated"


def test_entries_are_chosen_as_those_of_the_log(shared_stub: LiveStub, world: str) -> None:
    for slug in ("session-expired", "invalid-token", "session-expired"):
        shared_stub.http.post(shared_stub.route(world), headers={"Prefer": f"example={slug}"})
    chosen = archived(shared_stub, world, "&status=session-expired&after=1")
    assert [each["response"]["status"] for each in chosen] == [401]
    assert archived(shared_stub, world, "&after=3") == []


def test_another_format_is_refused(shared_stub: LiveStub, world: str) -> None:
    answer = shared_stub.control("GET", "/requests?format=xml", world=world)
    assert answer.status_code == 400
    assert answer.json()["detail"] == "query, format: expected json or har, found 'xml'"
