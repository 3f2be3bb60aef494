"""Which journals go on from which snapshot, and files of other writers."""

import asyncio
from pathlib import Path
from typing import Any

from support.records import about_to_register, mail, register_client, user
from support.store import (
    AFTER,
    asked,
    edited,
    everything,
    files,
    journal_of,
    killed,
    refusal,
    to_document,
)
from tinydb import TinyDB, where

from clients_register.handlers.store.tinydb import TinyDBStore


def test_a_journal_without_its_data_file_is_refused(data: Path) -> None:
    data.unlink()
    message = refusal(data)
    assert "does not exist, but its journal" in message
    assert str(journal_of(data)) in message


def test_a_journal_of_a_generation_that_is_over_is_not_made_again(data: Path) -> None:
    journal = journal_of(data).read_bytes()
    asked(data, everything)
    journal_of(data).write_bytes(journal)
    assert tuple(map(len, asked(data, everything))) == AFTER[-1]
    assert files(data) == [data]


def test_a_journal_of_a_generation_to_come_is_refused(data: Path) -> None:
    older = data.read_bytes()
    asked(data, everything)
    store = TinyDBStore(data, public_allowed=True)
    asyncio.run(store.add_mail(mail("new@x.test")))
    again = killed(data, data.parent / "again")
    asyncio.run(store.close())
    again.write_bytes(older)
    assert "expected its journal of generation 1, and those" in refusal(again)


def test_a_journal_with_another_name_is_refused(data: Path) -> None:
    def set_generation(tables: dict[str, Any]) -> None:
        tables["_generation"]["1"]["generation"] = 2

    journal_of(data).rename(data.with_name("data.json.journal.2"))
    data.write_bytes(edited(data.read_bytes(), set_generation))
    assert "expected the head of a journal of generation 2, found one of generation 1" in refusal(
        data
    )


def test_a_data_file_that_was_edited_against_its_journal_is_refused(data: Path) -> None:
    bea = to_document(user(8, "bea@x.test"))
    data.write_bytes(edited(data.read_bytes(), lambda tables: tables.update(users={"8": bea})))
    message = refusal(data)
    assert "with its journals, is damaged: users.7: expected each email_key once" in message


def test_two_journals_are_one_after_the_other(data: Path) -> None:
    """As a process leaves them that is killed between the begin of a compaction and its end."""
    store = TinyDBStore(data, public_allowed=True)
    storage = store._database.storage
    storage.begin_compaction()
    asyncio.run(store.add_mail(mail("new@x.test")))
    again = killed(data, data.parent / "again")
    storage._release()
    assert len(files(again)) == 3
    torn = killed(again, data.parent / "torn")
    assert tuple(map(len, asked(again, everything))) == (1, 1, 1)
    first = journal_of(torn)
    first.write_bytes(first.read_bytes()[:-1])
    assert "expected complete lines, found an incomplete one" in refusal(torn)


def test_after_a_clean_stop_plain_tinydb_reads_the_whole_file(data: Path) -> None:
    store = TinyDBStore(data, public_allowed=True)
    asyncio.run(register_client(store, about_to_register("ada@x.test"), None))
    asyncio.run(store.close())
    assert files(data) == [data]
    with TinyDB(data) as database:
        (found,) = database.table("users").search(where("email") == "ada@x.test")
        assert found["client"]["company_name"] == "Näme \N{GRINNING FACE}"
        assert len(database.table("users")) == 2


def test_what_plain_tinydb_wrote_is_opened(data: Path) -> None:
    asked(data, everything)
    with TinyDB(data, encoding="utf-8") as database:
        database.table("users").remove(doc_ids=[7])
        database.table("sessions").truncate()
    assert tuple(map(len, asked(data, everything))) == (0, 0, 0)


def test_a_store_that_is_only_read_is_not_written(data: Path) -> None:
    asked(data, everything)
    before = data.stat().st_mtime_ns, data.read_bytes()
    asked(data, everything)
    assert (data.stat().st_mtime_ns, data.read_bytes()) == before
