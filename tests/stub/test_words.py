"""Small readers of the stub, apart from HTTP: preferences, durations, redaction."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients_register.handlers.stub.forcing import PreferenceParser
from clients_register.handlers.stub.problems import Problem
from clients_register.handlers.stub.state import parse_duration
from clients_register.handlers.stub.traffic import HIDDEN, INFINITE, redact
from clients_register.spec.statuses import load_statuses

STATUSES = {row.slug: row for row in load_statuses()}


@given(st.text("example=code401wait;,\" \\'Prefer-", max_size=60))
def test_any_preference_is_read_or_is_a_problem(text: str) -> None:
    with suppress(Problem):
        asked = PreferenceParser(STATUSES).parse([(b"prefer", text.encode())])
        assert asked.status is None or asked.status in STATUSES.values()
        assert 0 <= asked.wait <= 60


@pytest.mark.parametrize(
    ("text", "delta"),
    [
        ("P1W", timedelta(weeks=1)),
        ("P8D", timedelta(days=8)),
        ("PT72H", timedelta(hours=72)),
        ("PT1M1S", timedelta(seconds=61)),
        ("P1DT0.5S", timedelta(days=1, seconds=0.5)),
        ("PT0S", timedelta()),
    ],
)
def test_a_duration_is_read_in_weeks_to_seconds(text: str, delta: timedelta) -> None:
    assert parse_duration(text) == delta


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "8D", "P8", "P1M", "P1Y", "-P1D", "P1.5D", "P9" * 9]
)
def test_what_is_no_duration_is_a_problem(text: str) -> None:
    with pytest.raises(Problem, match="ISO 8601"):
        parse_duration(text)


def test_a_duration_longer_than_any_calendar_is_a_problem() -> None:
    with pytest.raises(Problem, match="ISO 8601"):
        parse_duration("P99999999999999999W")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"password": "x"}, {"password": HIDDEN}),
        ({"client": {"Password": ["x"]}}, {"client": {"Password": HIDDEN}}),
        ({"token": 5, "session": {"token": "x"}}, {"token": HIDDEN, "session": {"token": HIDDEN}}),
        ([{"token": "x"}], [{"token": HIDDEN}]),
        ({"a": [1.5, float("-inf")]}, {"a": [1.5, INFINITE]}),
        ({"password": None, "token": ""}, {"password": None, "token": ""}),
        ({"email": "password"}, {"email": "password"}),
    ],
)
def test_secrets_are_hidden_wherever_they_stand(value: Any, shown: Any) -> None:
    assert redact(value) == shown
