"""Errors of parameters: a response lists all errors of one row, and of no other row."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.exchanges import changed, faults
from support.live import Live, registration

CLIENT = "client-session"
ABSENCES = [("absent", "missing"), (None, "missing"), ("", "empty"), ("\t \n", "empty")]

# One value that has each JSON type, and none that counts as not passed.
TYPED: dict[str, Any] = {
    "string": "x",
    "integer": 42,
    "fraction": 42.5,
    "boolean": True,
    "object": {"email": "x"},
    "array": ["x"],
}
TYPES = {
    "view": "string",
    "application": "string",
    "enterprise": "boolean",
    "client": "object",
    "client.email": "string",
    "client.password": "string",
    "client.first_name": "string",
    "client.last_name": "string",
    "client.phone": "string",
    "client.company_id": "integer",
    "client.company_name": "string",
    "application_view": "string",
    "session_view": "string",
}


@pytest.mark.parametrize("path", ["application", "client"])
@pytest.mark.parametrize(("value", "message"), ABSENCES)
def test_a_required_param_that_is_not_passed_is_missing(
    shared: Live, email: str, path: str, value: object, message: str
) -> None:
    assert faults(shared, changed(email, {path: value})) == ("missing-param", {path: message})


def test_all_missing_params_are_listed_and_nothing_else(shared: Live, email: str) -> None:
    params = {"client": " ", "application": None, "enterprise": 5, "view": "none such"}
    assert faults(shared, params) == (
        "missing-param",
        {"application": "missing", "client": "empty"},
    )


@pytest.mark.parametrize("path", ["client.email", "client.password"])
@pytest.mark.parametrize(("value", "message"), ABSENCES)
def test_a_client_needs_an_address_and_a_password(
    shared: Live, email: str, path: str, value: object, message: str
) -> None:
    assert faults(shared, changed(email, {path: value})) == (
        "client-validation-failed",
        {path: message},
    )


def test_an_empty_client_is_passed_and_invalid(shared: Live) -> None:
    assert faults(shared, {"application": "planoauth", "client": {}}) == (
        "client-validation-failed",
        {"client.email": "missing", "client.password": "missing"},
    )


@pytest.mark.parametrize("path", [path for path in TYPES if path not in ("application", "client")])
@pytest.mark.parametrize("value", [None, "", " \r\n"])
def test_null_and_blank_count_as_not_passed_whatever_the_type(
    shared: Live, email: str, path: str, value: object
) -> None:
    expected, _ = faults(shared, changed(email, {path: "absent"}))
    status, _ = faults(shared, changed(f"again-{email}", {path: value}))
    assert status == expected


@pytest.mark.parametrize(
    ("path", "kind"),
    [(path, kind) for path, right in TYPES.items() for kind in TYPED if kind != right],
)
def test_a_value_of_another_type_is_invalid(shared: Live, email: str, path: str, kind: str) -> None:
    assert faults(shared, changed(email, {path: TYPED[kind]})) == (
        "invalid-param",
        {path: "wrong_type"},
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("client.company_id", "42"),
        ("client.company_id", 42.0),
        ("client.company_id", False),
        ("enterprise", "true"),
        ("enterprise", 1),
        ("enterprise", 0),
        ("view", ["default"]),
        ("client", []),
        ("client", 0),
        ("client", False),
        ("client", "client"),
    ],
)
def test_nothing_is_coerced(shared: Live, email: str, path: str, value: object) -> None:
    assert faults(shared, changed(email, {path: value})) == (
        "invalid-param",
        {path: "wrong_type"},
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"client.company_id": 41}, {"client.company_id": "unrecognized"}),
        ({"client.company_id": 0}, {"client.company_id": "unrecognized"}),
        ({"client.company_id": -42}, {"client.company_id": "unrecognized"}),
        ({"client.company_id": 2**64 + 42}, {"client.company_id": "unrecognized"}),
        ({"client.company_id": 10**4200}, {"client.company_id": "unrecognized"}),
        ({"application": "planoauth2"}, {"application": "unrecognized"}),
        ({"application": "PlanoAuth"}, {"application": "unrecognized"}),
        ({"application": " planoauth"}, {"application": "unrecognized"}),
        ({"view": "Default"}, {"view": "unrecognized"}),
        ({"view": "default "}, {"view": "unrecognized"}),
        ({"application_view": "client_read"}, {"application_view": "unrecognized"}),
        ({"session_view": "client_read"}, {"session_view": "unrecognized"}),
        ({"client.email": "no-at.test"}, {"client.email": "malformed"}),
        ({"client.email": "a@b@c.test"}, {"client.email": "malformed"}),
        ({"client.email": "@a.test"}, {"client.email": "malformed"}),
        ({"client.email": "a@"}, {"client.email": "malformed"}),
        ({"client.email": "a b@c.test"}, {"client.email": "malformed"}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_value_that_means_nothing_here_is_invalid(
    shared: Live, email: str, changes: dict[str, Any], expected: dict[str, str]
) -> None:
    assert faults(shared, changed(email, changes)) == ("invalid-param", expected)


def test_all_invalid_params_are_listed(shared: Live, email: str) -> None:
    changes = {
        "application": "none such",
        "application_view": 5,
        "client.company_id": 9,
        "client.email": "malformed",
        "client.first_name": [],
        "client.password": {},
        "enterprise": "yes",
        "session_view": "none such",
        "view": {},
    }
    assert faults(shared, changed(email, changes)) == (
        "invalid-param",
        {
            "application": "unrecognized",
            "application_view": "wrong_type",
            "client.company_id": "unrecognized",
            "client.email": "malformed",
            "client.first_name": "wrong_type",
            "client.password": "wrong_type",
            "enterprise": "wrong_type",
            "session_view": "unrecognized",
            "view": "wrong_type",
        },
    )


def test_parameters_unknown_here_are_ignored(shared: Live, email: str) -> None:
    params = registration(email, client={"id": 1, "enterprise": True, "user_id": 2})
    params |= {"id": 7, "client.email": "other@x.test", "data": {}, "\0": None, "remember_me": True}
    envelope = shared.post(params).json()
    assert envelope["data"]["email"] == email
    assert envelope["data"]["enterprise"] is False
    assert envelope["session"]["remember_me"] is False


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from([*TYPES, "token", "client.extra", "extra"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
        | st.lists(st.integers(), max_size=2)
        | st.sampled_from(["planoauth", "default", CLIENT, "a@b.test", 42]),
        max_size=8,
    )
)
def test_whatever_is_sent_the_answer_is_a_status_and_no_crash(
    shared: Live, email: str, changes: dict[str, Any]
) -> None:
    params = registration(email)
    client = params["client"]
    for path, value in changes.items():
        container, _, name = path.rpartition(".")
        (client if container else params)[name] = value
    envelope = shared.post(params).json()
    assert envelope["status"] != "application-crash"
    assert envelope["code"] in (200, 400, 401)
