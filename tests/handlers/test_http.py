"""The route on the wire: which requests reach it, and what every answer has in common."""

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from support.live import Live, encoded, registration

from clients_register.handlers.rules import RULES
from clients_register.handlers.serve import open_listener

ELSEWHERE = {"code": 500, "status": "route-non-existent"}
UNTYPED = {"code": 400, "status": "invalid-content-type"}
UNENCODED = {"code": 400, "status": "invalid-encoded-params"}
NOTHING = {"code": 400, "status": "no-params-decoded"}


def sound(answer: Any) -> dict[str, Any]:
    """The envelope of `answer`, which has what every answer must have."""
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Request-Id"]
    envelope: dict[str, Any] = answer.json()
    assert envelope["code"] == answer.status_code
    return envelope


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/v1",
        "/api/v1/clients",
        "/api/v1/clients/register/",
        "/api/v1/clients/register/more",
        "/api/v1//clients/register",
        "/api/v1/Clients/register",
        "/api/v1/clients/registers",
        "/api/v2/clients/register",
        "/clients/register",
        "//api/v1/clients/register",
        "/openapi.json",
        "/api/v1/openapi.json",
        "/api/v1/ui/",
        "/favicon.ico",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_path_is_no_route(shared: Live, method: str, path: str) -> None:
    assert sound(shared.http.request(method, shared.origin + path)) == ELSEWHERE


@pytest.mark.parametrize(
    "method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
)
def test_another_method_is_no_route(shared: Live, method: str) -> None:
    assert sound(shared.http.request(method, shared.url)) == ELSEWHERE


def test_head_has_the_code_and_the_headers_and_no_body(shared: Live) -> None:
    answer = shared.http.head(shared.url)
    assert answer.status_code == ELSEWHERE["code"]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Request-Id"]
    assert answer.content == b""


def test_a_preflight_is_no_route_where_cors_is_off(shared: Live) -> None:
    headers = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    assert sound(shared.http.options(shared.url, headers=headers)) == ELSEWHERE


def test_a_query_string_is_ignored(shared: Live, email: str) -> None:
    body = encoded(registration(email))
    headers = {"Content-Type": "text/plain"}
    answer = shared.http.post(f"{shared.url}?token=x&view=y", content=body, headers=headers)
    assert sound(answer)["code"] == 200


@pytest.mark.parametrize("base_path", ["", "/api/v1", "/a-b/c_d/~e.f"])
def test_the_base_path_is_a_setting(start: Callable[..., Live], email: str, base_path: str) -> None:
    live = start(base_path=base_path)
    assert live.register(email)["code"] == 200
    elsewhere = live.http.post(f"{live.origin}/other/clients/register")
    assert sound(elsewhere) == ELSEWHERE


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "Text/Plain", "text/plain; charset=utf-8", "text/plain ;x", "text/plain;"],
)
def test_plain_text_is_accepted_with_any_parameters(shared: Live, content_type: str) -> None:
    assert sound(shared.send(b"", content_type)) == NOTHING


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "text/html",
        "text/plain2",
        "text",
        "text/",
        "*/*",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/html, text/plain",
        ";text/plain",
    ],
)
def test_any_other_content_type_is_refused(
    shared: Live, content_type: str | None, email: str
) -> None:
    assert sound(shared.send(encoded(registration(email)), content_type)) == UNTYPED


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, identity", "unheard-of"])
def test_a_compressed_body_is_refused_like_a_wrong_type(shared: Live, encoding: str) -> None:
    assert sound(shared.send(b"", **{"Content-Encoding": encoding})) == UNTYPED


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_an_identity_encoding_is_none(shared: Live, encoding: str) -> None:
    assert sound(shared.send(b"", **{"Content-Encoding": encoding})) == NOTHING


@pytest.mark.parametrize("raw", [b"", b" ", b"\r\n\t\v\f "])
def test_an_empty_body_holds_no_params(shared: Live, raw: bytes) -> None:
    assert sound(shared.send(raw)) == NOTHING


@pytest.mark.parametrize("value", [{}, None, [], [{"application": "planoauth"}], 1, "x", True])
def test_json_that_is_no_object_or_an_empty_one_holds_no_params(
    shared: Live, value: object
) -> None:
    assert sound(shared.post(value)) == NOTHING


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"application": "planoauth"}', id="plain JSON"),
        pytest.param(b"e30", id="no padding"),
        pytest.param(b"IA==", id="base64 of a space"),
        pytest.param(b"----", id="the URL-safe alphabet"),
        pytest.param(b"e30=\xff", id="no ASCII"),
        pytest.param(b"/////w==", id="base64 of no UTF-8"),
        pytest.param(b"eA==", id="base64 of no JSON"),
    ],
)
def test_what_is_no_base64_of_json_is_refused(shared: Live, raw: bytes) -> None:
    assert sound(shared.send(raw)) == UNENCODED


def test_each_answer_has_a_request_id_of_the_servers_own(shared: Live) -> None:
    sent = {"X-Request-Id": "mine"}
    requests = [shared.http.get(shared.origin, headers=sent) for _ in range(50)]
    requests += [shared.send(b"", **sent) for _ in range(50)]
    ids = {answer.headers["X-Request-Id"] for answer in requests}
    assert len(ids) == 100
    assert "mine" not in ids


@pytest.mark.parametrize("key", ["session", "errors", "data", "application"])
def test_a_key_that_a_status_does_not_carry_is_absent(shared: Live, key: str) -> None:
    assert key not in sound(shared.send(b""))


def test_an_answer_in_unicode_is_utf_8(shared: Live, email: str) -> None:
    name = "Zoë \U0001f600 \u2028 <b>"
    answer = shared.post(registration(email, client={"first_name": name}))
    assert json.loads(answer.content.decode("utf-8"))["data"]["first_name"] == name


def test_the_server_does_not_tell_what_it_is_made_of(shared: Live) -> None:
    assert "Server" not in shared.send(b"").headers


@pytest.mark.parametrize("fact", sorted(RULES))
def test_a_crash_in_any_rule_is_an_answer(
    shared: Live, fact: str, monkeypatch: pytest.MonkeyPatch, email: str
) -> None:
    async def crash(_: object) -> list[Any]:
        raise RuntimeError("unforeseen")

    monkeypatch.setitem(RULES, fact, crash)
    envelope = sound(shared.post(registration(email)))
    assert envelope == {"code": 500, "status": "application-crash"}
    monkeypatch.undo()
    assert shared.register(email)["code"] == 200


def test_an_answer_does_not_wait_for_the_caller_to_acknowledge_its_head() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        with socket.create_connection(listener.getsockname()):
            taken, _ = listener.accept()
        with taken:
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
