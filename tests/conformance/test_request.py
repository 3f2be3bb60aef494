"""From what a case sends to bytes: placeholders, filters, layers."""

import base64
import json
from typing import Any

import pytest

from clients_register.conformance.case import RequestTemplate
from clients_register.conformance.request import (
    UnknownPlaceholder,
    Values,
    build_params,
    build_request,
    mask,
)


@pytest.fixture
def values() -> Values:
    known = {"application": "some-app", "company": 7, "route": "/api/register"}
    return Values("tests.test", "run1", known)


def decoded(body: bytes) -> Any:
    return json.loads(base64.b64decode(body))


def test_the_default_is_a_valid_registration(values: Values) -> None:
    request = build_request(RequestTemplate(), values, {})
    assert (request.method, request.target) == ("POST", "/api/register")
    assert request.headers == (("Content-Type", "text/plain"),)
    params = decoded(request.body)
    assert params["application"] == "some-app"
    assert params["client"]["email"].endswith("@tests.test")
    assert params["client"]["email"].startswith("conformance.run1.")
    assert len(params["client"]["password"]) >= 16


def test_set_and_drop_change_it(values: Values) -> None:
    send = RequestTemplate(
        set={"client.company_id": "${company}", "view": "v"}, drop=("client.password",)
    )
    params = decoded(build_request(send, values, {}).body)
    assert params["client"]["company_id"] == 7
    assert params["view"] == "v"
    assert "password" not in params["client"]


@pytest.mark.parametrize(
    ("send", "body"),
    [
        (RequestTemplate(content=("params", {"a": "${company}"})), b'{"a": 7}'),
        (RequestTemplate(content=("json", [1, None])), b"[1, null]"),
        (RequestTemplate(content=("text", '{"a":1,"a":2}')), b'{"a":1,"a":2}'),
        (RequestTemplate(content=("text_hex", "ff 00")), b"\xff\x00"),
    ],
)
def test_the_layers_are_encoded(values: Values, send: RequestTemplate, body: bytes) -> None:
    assert base64.b64decode(build_request(send, values, {}).body) == body


@pytest.mark.parametrize(
    ("send", "body"),
    [
        (RequestTemplate(body="plain"), b"plain"),
        (RequestTemplate(body_hex="25 25"), b"%%"),
        (RequestTemplate(content=("text", "{}"), body=" ${encoded}\n"), b" e30=\n"),
        (RequestTemplate(content=("text", "{}"), body="${encoded|unpadded}"), b"e30"),
        (RequestTemplate(content=("text", "{}"), body="${encoded|padded}"), b"e30=="),
        (RequestTemplate(content=("text", "{}"), body="${encoded|fill:6}"), b"e30=\n\n"),
        (RequestTemplate(body="${ä*2}${run1|upper}"), "ääRUN1".encode()),
    ],
)
def test_a_body_is_a_template(values: Values, send: RequestTemplate, body: bytes) -> None:
    values.update({"run1": "run1"})
    assert build_request(send, values, {}).body == body


def test_headers_are_changed_dropped_and_repeated(values: Values) -> None:
    send = RequestTemplate(headers={"Content-Type": None, "X-Two": ["1", "2"]})
    request = build_request(send, values, {"X-Key": "k"})
    assert request.headers == (("X-Key", "k"), ("X-Two", "1"), ("X-Two", "2"))


def test_values_keep_for_a_case_and_differ_between_cases(values: Values) -> None:
    other = Values("tests.test", "run1", {})
    assert values.fill("${email}") == values.fill("${email}")
    assert values.fill("${email}") != values.fill("${email2}")
    assert values.fill("${email}") != other.fill("${email}")
    assert values.fill("${email|upper}") == values.get("email").upper()


@pytest.mark.parametrize("written", ["${unheard-of}", "${email|unheard-of}"])
def test_an_unknown_name_is_told(values: Values, written: str) -> None:
    with pytest.raises(UnknownPlaceholder, match="unheard-of"):
        values.fill(written)


def test_what_is_shown_of_a_request_has_no_secret_and_the_same_length(values: Values) -> None:
    real, shown = (
        build_request(RequestTemplate(), values, {}),
        build_request(RequestTemplate(), values.redacted(), {}),
    )
    password = values.get("password")
    assert len(real.body) == len(shown.body)
    assert decoded(real.body)["client"]["password"] == password
    assert decoded(shown.body)["client"]["password"] == mask(password)
    assert decoded(real.body)["client"]["email"] == decoded(shown.body)["client"]["email"]
    assert build_params(RequestTemplate(), values.redacted()) == decoded(shown.body)
