"""Opening the data file of the TinyDB store: what is refused is left as it is."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.records import about_to_register, mail, register_client, session, user
from support.store import edited, flipped

from clients_register.handlers.store.base import StoreError
from clients_register.handlers.store.journaled.snapshot import decode_snapshot
from clients_register.handlers.store.tinydb import TinyDBStore

Tables = dict[str, Any]


def opened(path: Path, *, public_allowed: bool = True) -> TinyDBStore:
    return TinyDBStore(path, public_allowed=public_allowed)


async def fill(path: Path) -> None:
    """Puts a record of each kind into a file at `path`."""
    store = opened(path)
    made = await register_client(store, about_to_register("ada@x.test"), None)
    await store.seed([user(7, "bea@x.test")], [session("t", 7)], public=False)
    await store.put_session(session("u", made.id))
    await store.add_mail(mail("ada@x.test"))
    await store.close()


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("filled") / "data.json"
    asyncio.run(fill(path))
    return path.read_bytes()


def refusal(path: Path) -> str:
    """Returns why the file at `path` is refused; checks that no file in its directory changes."""
    before = {each: each.read_bytes() for each in path.parent.iterdir() if each.suffix != ".lock"}
    with pytest.raises(StoreError) as caught:
        opened(path)
    after = {each: each.read_bytes() for each in path.parent.iterdir() if each.suffix != ".lock"}
    assert after == before
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert "--data" in message, "the next step"
    return message


def first(tables: Tables, name: str) -> Any:
    return next(iter(tables[name].values()))


NO_JSON = {
    "nothing": b"",
    "binary": bytes(range(256)),
    "another encoding": '{"é": 1}'.encode("utf-16"),
    "deep": b"[" * 100_000,
    "two of one name": b'{"meta": {}, "meta": {}}',
    "no number": b'{"meta": NaN}',
}


@pytest.mark.parametrize("found", NO_JSON)
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, found: str) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(NO_JSON[found])
    assert "is damaged: it is not JSON" in refusal(path)


@given(at=st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_off_is_refused(content: bytes, tmp_path: Path, at: float) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(content[: int(at * len(content.rstrip()))])
    assert "is damaged: it is not JSON" in refusal(path)


@pytest.mark.parametrize(
    "found",
    [
        *("{}", '{"_default": {}}', '{"meta": {"1": {}}}', '{"meta": {"2": {"version": 3}}}'),
        '{"meta": {"1": {"format": "other", "version": 1, "public": false}}}',
    ],
)
def test_a_file_of_another_program_is_refused(tmp_path: Path, found: str) -> None:
    path = tmp_path / "data.json"
    path.write_text(found)
    assert "belongs to another program" in refusal(path)


@pytest.mark.parametrize("version", [2, 4, "3", None, True, 3.0])
def test_a_file_of_another_version_is_refused(
    content: bytes, tmp_path: Path, version: object
) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(edited(content, lambda t: first(t, "meta").update(version=version)))
    assert f"has version {version!r}, expected 3;" in refusal(path)


def test_the_version_is_checked_before_the_journal_is_read(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(edited(content, lambda t: first(t, "meta").update(version=2)))
    for generation in (1, 2, 5):
        path.with_name(f"data.json.journal.{generation}").write_text('{"format": "another"}\n')
    message = refusal(path)
    assert "has version 2, expected 3;" in message
    assert "remove" not in message


def test_a_file_that_a_stub_filled_is_no_reference_servers(tmp_path: Path) -> None:
    path = tmp_path / "data.json"

    async def seed() -> None:
        store = opened(path)
        await store.seed([user(7, "a@x.test")], [], public=True)
        await store.close()

    asyncio.run(seed())
    before = path.read_bytes()
    with pytest.raises(StoreError, match="created by the stub"):
        opened(path, public_allowed=False)
    assert path.read_bytes() == before


OTHER_JSON = {
    **dict.fromkeys(("null", "[]", "[1, 2]", '"text"', "5"), "expected an object of tables"),
    '{"version": 1}': "expected an object of tables",
    '{"meta": []}': "expected an object of tables",
    '{"meta": {"x": {}}}': "meta: expected ids of documents",
    '{"meta": {"0": {}}}': "meta: expected ids of documents",
    '{"meta": {"1": 5}}': "meta.1: expected an object",
    '{"meta": {"1": null}}': "meta.1: expected an object, found null",
    '{"_generation": {"1": {"generation": 0}}}': "_generation.1.generation: expected a positive",
    '{"_generation": {"1": {"generation": true}}}': "_generation.1.generation: expected a",
    '{"_generation": {"2": {}}}': "_generation.1.generation: expected a positive integer",
}


@pytest.mark.parametrize("found", OTHER_JSON)
def test_json_that_is_not_a_tinydb_file_is_refused(tmp_path: Path, found: str) -> None:
    path = tmp_path / "data.json"
    path.write_text(found)
    message = refusal(path)
    assert "is not a TinyDB file" in message
    assert OTHER_JSON[found] in message


DAMAGE: dict[str, Callable[[Tables], object]] = {
    "users.8.id: expected the number": lambda t: t["users"].update({"8": t["users"]["7"]}),
    "users.7.id: Expected `int`, got `str`": lambda t: t["users"]["7"].update(id="7"),
    "users.7.id: Expected `int`, got `bool`": lambda t: t["users"]["7"].update(id=True),
    "users.7.email: Expected `str`, got `null`": lambda t: t["users"]["7"].update(email=None),
    "it is not JSON": lambda t: t["users"]["7"].update(email="\udc80"),
    "users.7: Object missing required field `roles`": lambda t: t["users"]["7"].pop("roles"),
    "users.7: Object contains unknown field `admin`": lambda t: t["users"]["7"].update(admin=True),
    "users.7.roles: Expected `array`, got `str`": lambda t: t["users"]["7"].update(roles="liaison"),
    "users.1001.client.enterprise: Expected `bool`": lambda t: t["users"]["1001"]["client"].update(
        enterprise=0
    ),
    "users.1001.client.created_at: Invalid": lambda t: t["users"]["1001"]["client"].update(
        created_at="yesterday"
    ),
    "created_at: Expected `datetime` with a timezone": lambda t: t["users"]["1001"][
        "client"
    ].update(created_at="2026-01-15T09:30:00"),
    "each id once": lambda t: t["users"]["1001"]["client"].update(id=7),
    "each email_key once": lambda t: t["users"]["7"].update(email_key="ada@x.test"),
    "user_id: expected the id of a user": lambda t: first(t, "sessions").update(user_id=99),
    "digest: expected a SHA-256": lambda t: first(t, "sessions").update(digest="0" * 64),
    "outbox.1: Object missing required field `sent_at`": lambda t: first(t, "outbox").pop(
        "sent_at"
    ),
    "meta.1.public": lambda t: first(t, "meta").pop("public"),
}


@pytest.mark.parametrize("found", DAMAGE)
def test_a_record_that_does_not_fit_is_refused(content: bytes, tmp_path: Path, found: str) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(edited(content, DAMAGE[found]))
    message = refusal(path)
    assert "is damaged" in message
    assert found in message


values: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([])
)


@settings(max_examples=200)
@given(data=st.data(), value=values)
def test_no_value_of_a_file_brings_more_than_a_refusal(
    content: bytes, tmp_path: Path, data: st.DataObject, value: object
) -> None:
    tables = node = json.loads(edited(content, lambda _: None))
    while True:
        key = data.draw(st.sampled_from(list(node)))
        if not isinstance(node[key], dict) or data.draw(st.integers(0, 4)) == 0:
            break
        node = node[key]
    node[key] = value
    path = tmp_path / "data.json"
    path.write_bytes(json.dumps(tables).encode())
    try:
        store = opened(path)
    except StoreError:
        return
    asyncio.run(store.add_mail(mail("a@x.test")))
    asyncio.run(store.close())


@pytest.mark.once
def test_each_flipped_bit_of_a_file_is_found(content: bytes) -> None:
    decode_snapshot(content)
    for damaged in flipped(content):
        with pytest.raises(ValueError, match=r"."):
            decode_snapshot(damaged)


def test_a_file_that_was_edited_in_place_is_refused_with_a_hint(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(content.replace(b"ada@x.test", b"eve@x.test"))
    message = refusal(path)
    assert "is damaged: expected the checksum" in message
    assert "if it was edited on purpose, remove crc32 at its end" in message
    path.write_bytes(re.sub(rb', "crc32": "[0-9a-f]{8}"', b"", path.read_bytes()))
    asyncio.run(opened(path).close())


def test_after_a_refusal_the_file_can_be_mended(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(content[:-20])
    refusal(path)
    path.write_bytes(content)
    asyncio.run(opened(path).close())
    assert path.read_bytes() == content


def test_a_directory_is_no_data_file(tmp_path: Path) -> None:
    directory = tmp_path / "data.json"
    directory.mkdir()
    with pytest.raises(StoreError, match="it is not a regular file"):
        opened(directory)
    assert list(tmp_path.iterdir()) == [directory]


def test_no_directory_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="its directory does not exist"):
        opened(tmp_path / "missing" / "data.json")
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.symlink_to(path)
    with pytest.raises(StoreError, match="cannot be opened"):
        opened(path)
