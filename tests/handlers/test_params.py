"""Which parameters count as passed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients_register.handlers.decoding import Params

blank = st.text("\t\n\v\f\r ")


@given(blank)
def test_a_string_of_ascii_white_space_is_empty_wherever_it_stands(value: str) -> None:
    params = Params({"view": value, "enterprise": value, "client": {"password": value}})
    absences = [params.absence(path) for path in ("view", "enterprise", "client.password")]
    assert absences == ["empty", "empty", "empty"]


@pytest.mark.parametrize("value", ["\u00a0", "\u2003", "\u200b", "\0", " x "])
def test_other_characters_are_no_white_space(value: str) -> None:
    assert Params({"view": value})["view"] == value


@pytest.mark.parametrize("sent", [{}, {"view": None}])
def test_absent_and_null_are_missing(sent: dict[str, Any]) -> None:
    assert Params(sent).absence("view") == "missing"


@pytest.mark.parametrize("value", [0, False, [], {}, "0", 0.0])
def test_every_other_value_is_passed(value: object) -> None:
    params = Params({"view": value, "client": {"email": value}})
    assert params["view"] == params["client.email"] == value


@pytest.mark.parametrize("client", [None, "", "a string", 5, ["email"], True])
def test_a_client_that_is_no_object_has_no_members(client: object) -> None:
    assert "client.email" not in Params({"client": client})


def test_a_dotted_name_of_the_sender_is_no_path() -> None:
    params = Params({"client.email": "a@b.test", "client": {"x.y": 1}})
    assert "client.email" not in params
    assert "client.x.y" not in params
