"""JSON documents: what is written is read back equal, and anything else is refused."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.records import HASH, client, mail, session, user
from support.store import to_document

from clients_register.handlers.models import (
    Mail,
    Session,
    User,
    check_document,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)

MADE = replace(client(8), company_id=2**70, first_name="N\u00e4me \N{GRINNING FACE}\0")
RECORDS: list[User | Session | Mail] = [
    user(7, "a@x.test"),
    user(7, "a@x.test", client=MADE, roles=frozenset({"liaison", "employee"})),
    session("t", 7),
    replace(session("t", 7), created_at=datetime(2026, 1, 15, 9, 30, 0, 123000, UTC)),
    mail("a@x.test"),
]

each_record = pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)


@example(value={"edges": [2**63 - 1, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1]})
@example(value={"a": '\u00e9\u2028"\\\0\x7f\N{GRINNING FACE}', "b": 10**300})
@given(value=VALUES)
def test_what_a_response_contains_is_read_back_equal(value: object) -> None:
    text = msgspec.json.encode(value).decode()
    assert json.loads(text) == value
    # Without white space, and without unnecessary escapes.
    assert text == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, [2**70, "\ud800"]])
def test_text_that_is_not_unicode_is_refused(value: object) -> None:
    with pytest.raises(UnicodeEncodeError):
        msgspec.json.encode(value)


def test_a_document_contains_the_fields_of_its_record_in_order() -> None:
    record = RECORDS[1]
    assert to_document(record) == {
        "id": 7,
        "email": "a@x.test",
        "email_key": "a@x.test",
        "password_hash": HASH,
        "roles": ["employee", "liaison"],
        "client": {
            "id": 8,
            "email": "c@x.test",
            "first_name": "N\u00e4me \N{GRINNING FACE}\0",
            "last_name": None,
            "phone": None,
            "company_id": 2**70,
            "company_name": None,
            "enterprise": True,
            "created_at": "2026-01-15T09:30:00Z",
        },
    }
    assert [*to_document(record)] == [*record.__struct_fields__]


@each_record
def test_a_document_becomes_the_record_again(record: User | Session | Mail) -> None:
    document = to_document(record)
    kind: type[Any] = type(record)
    assert msgspec.convert(document, kind) == record
    checked = check_document(kind, msgspec.json.encode(document), "here")
    assert msgspec.to_builtins(checked, order="deterministic") == document


EDITS: dict[str, Callable[[dict[str, Any], str], object]] = {
    "removed": lambda document, name: document.pop(name),
    "renamed": lambda document, name: document.update({f"{name}s": document.pop(name)}),
    "a float": lambda document, name: document.update({name: 1.5}),
    "an object": lambda document, name: document.update({name: {}}),
    "a list of numbers": lambda document, name: document.update({name: [1]}),
}


@each_record
@pytest.mark.parametrize("edit", EDITS)
def test_a_document_with_any_member_changed_is_refused(
    record: User | Session | Mail, edit: str
) -> None:
    kind: type[Any] = type(record)
    for name in record.__struct_fields__:
        document = to_document(record)
        EDITS[edit](document, name)
        with pytest.raises(ValueError, match=f"^here[:.].*{name}") as caught:
            check_document(kind, msgspec.json.encode(document), "here")
        assert HASH not in str(caught.value)


def test_a_time_needs_an_offset() -> None:
    document = {**to_document(mail("a@x.test")), "sent_at": "2026-01-15T09:30:00"}
    with pytest.raises(ValueError, match=r"here\.sent_at: Expected `datetime` with a timezone"):
        check_document(Mail, msgspec.json.encode(document), "here")
