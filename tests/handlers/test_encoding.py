"""What the server writes is JSON, and says what was meant."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.records import HASH, client, user

from clients_register.handlers.models import encode_json

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@example(value={"edges": [2**63 - 1, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1]})
@example(value={"a": 'é\u2028"\\\0\x7f\N{GRINNING FACE}', "b": 10**300})
@given(value=VALUES)
def test_what_is_encoded_is_read_back_equal(value: object) -> None:
    text = encode_json(value).decode()
    assert json.loads(text) == value
    # One form, whichever library wrote it: no white space, and no escapes but those that must be.
    assert text == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, [2**70, "\ud800"], {"a": {1, 2}}])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        encode_json(value)


@pytest.mark.parametrize("company", [42, 2**70])
def test_records_are_written_alike_by_both_libraries(company: int) -> None:
    made = replace(client(8), company_id=company)
    record = user(7, "a@x.test", roles=frozenset({"liaison", "employee"}), client=made)
    assert json.loads(encode_json(record)) == {
        "id": 7,
        "email": "a@x.test",
        "email_key": "a@x.test",
        "password_hash": HASH,
        "roles": ["employee", "liaison"],
        "client": {
            "id": 8,
            "email": "c@x.test",
            "first_name": None,
            "last_name": None,
            "phone": None,
            "company_id": company,
            "company_name": None,
            "enterprise": True,
            "created_at": "2026-01-15T09:30:00.000Z",
        },
    }
    assert [*json.loads(encode_json(record))] == [field.name for field in fields(record)]
