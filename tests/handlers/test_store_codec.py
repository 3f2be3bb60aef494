"""Records in JSON: what is read fast is what is read strictly, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.records import client, mail, session, user
from support.store import document_of

from clients_register.handlers.models import Client, Mail, Session, User
from clients_register.handlers.store.codec import (
    Misfit,
    decode_object,
    decode_record,
    decode_unique,
)

RECORDS: list[Client | User | Session | Mail] = [
    client(8),
    user(7, "a@x.test"),
    user(7, "a@x.test", client=client(8), roles=frozenset({"liaison", "employee"})),
    session("t", 7),
    mail("a@x.test"),
]

VALUES: st.SearchStrategy[object] = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.just({})),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.text("ab") | st.integers(), max_size=2),
    st.sampled_from(
        ["2026-01-15T09:30:00.000Z", "2026-01-15T24:00:00.000Z", "2026-W03-4T09:30:00.000Z"]
    ),
    st.sampled_from(
        ["2026-01-15T09:30:00,000Z", "2026-01-15T09:30:00.1Z", "2026-02-30T00:00:00.000Z"]
    ),
)


def read_strictly(text: str, kind: type[Any]) -> object:
    """The record, or why it is none."""
    try:
        return decode_record(kind, json.loads(text, object_pairs_hook=decode_unique), "here")
    except Misfit as error:
        return str(error)


def read_fast(text: str, kind: type[Any]) -> object:
    try:
        return decode_record(kind, json.loads(text, object_pairs_hook=decode_object), "here")
    except Misfit as error:
        return str(error)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_what_was_written_is_read_without_a_second_look(record: Client | User) -> None:
    text = json.dumps(document_of(record))
    assert json.loads(text, object_pairs_hook=decode_object) == record


@settings(max_examples=500)
@given(data=st.data())
def test_both_ways_of_reading_agree_on_any_document(data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(RECORDS))
    whole = document_of(record)
    inner = whole.get("client")
    node = inner if inner and data.draw(st.booleans()) else whole
    name = data.draw(st.sampled_from(sorted(node)) | st.just("another"))
    match data.draw(st.sampled_from(["put", "remove", "turn"])):
        case "put":
            node[name] = data.draw(VALUES)
        case "remove":
            node.pop(name, None)
        case "turn":
            node[name] = node.pop(name, None)
    text, kind = json.dumps(whole), type(record)
    assert read_fast(text, kind) == read_strictly(text, kind)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_second_member_of_one_name_is_found(record: Client | User) -> None:
    text = json.dumps(document_of(record))
    name = next(iter(document_of(record)))
    for doubled in (
        text.replace(f'"{name}":', f'"{name}": null, "{name}":'),
        text.replace(list(document_of(record))[-1], name),
    ):
        with pytest.raises(ValueError, match="duplicate names"):
            json.loads(doubled, object_pairs_hook=decode_object)
