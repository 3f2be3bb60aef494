"""The journal of the TinyDB store: what of it is believed, and which snapshot it belongs to."""

import asyncio
import errno
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.dying import asked
from support.people import about_to_register, mail, session, user
from support.stored import files
from tinydb import TinyDB, where

from clients_register.handlers.store import StoreError, beside
from clients_register.handlers.store.contents import Contents, contents_of
from clients_register.handlers.store.documents import document_of
from clients_register.handlers.store.journal import Journal, line_of
from clients_register.handlers.store.replay import DamagedJournal
from clients_register.handlers.store.snapshot import SnapshotStorage
from clients_register.handlers.store.tinydb import TinyDBStore


async def work(path: Path, folder: Path) -> Path:
    """One change of each kind, killed before the end of it: the journal is there."""
    store = TinyDBStore(path, public_allowed=True)
    await store.seed([user(7, "bea@x.test")], [session("t", 7)], public=True)
    made = await store.add_client(about_to_register("ada@x.test"), None)
    await store.put_session(session("u", made.id))
    await store.add_mail(mail("ada@x.test"))
    await store.remove_client(made, None)
    await store.remove(mails=True)
    left = killed(path, folder)
    await store.close()
    return left


def killed(path: Path, folder: Path) -> Path:
    """The files as they are now, copied to where no process holds them."""
    folder.mkdir()
    for each in files(path):
        shutil.copy(each, folder)
    return folder / path.name


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data file and its journal, as a process leaves them that is killed."""
    folder = tmp_path_factory.mktemp("left")
    return asyncio.run(work(folder / "data.json", folder / "killed"))


@pytest.fixture
def data(left: Path, tmp_path: Path) -> Path:
    return killed(left, tmp_path / "own")


def journal_of(data: Path) -> Path:
    return data.with_name("data.json.journal.1")


def lengths(journal: Path) -> list[int]:
    """How long the journal is after each line."""
    ends, length = [], 0
    for line in journal.read_bytes().splitlines(keepends=True):
        length += len(line)
        ends.append(length)
    return ends


def refusal(data: Path) -> str:
    """Why the store is not opened, which leaves all files as they are."""
    before = {each: each.read_bytes() for each in data.parent.iterdir() if each.suffix != ".lock"}
    with pytest.raises(StoreError) as caught:
        TinyDBStore(data, public_allowed=True)
    after = {each: each.read_bytes() for each in data.parent.iterdir() if each.suffix != ".lock"}
    assert after == before
    message = str(caught.value)
    assert str(data) in message
    assert "--data" in message, "the next step"
    assert "\n" not in message
    return message


async def everything(store: TinyDBStore) -> tuple[Any, ...]:
    return await store.users(), await store.sessions(), await store.mails()


BEA = document_of(user(8, "bea@x.test"))

# What is there after each change of `work`: users, sessions, mails.
AFTER = [(0, 0, 0), (1, 1, 0), (2, 1, 0), (2, 2, 0), (2, 2, 1), (1, 1, 1), (1, 1, 0)]


def test_each_change_is_a_line_of_json(left: Path) -> None:
    head, *changes = map(json.loads, journal_of(left).read_text().splitlines())
    assert head == {"format": "clients-register journal", "version": 1, "generation": 1}
    assert [list(each) for each in changes] == [["crc32", "change"]] * 6
    assert changes[5]["change"] == {"outbox": {"1": None}}


def replayed(data: Path) -> tuple[Contents, Journal]:
    """What the data file and its journal make together, and how far the journal is good."""
    contents, generation = contents_of(SnapshotStorage(data).read())
    assert generation is not None
    (journal,) = beside.replayed(data, beside.journals(data), generation, contents)
    return contents, journal


def counted(contents: Contents) -> tuple[int, ...]:
    return len(contents.users), len(contents.sessions), len(contents.mails)


def test_a_journal_that_ends_anywhere_is_good_up_to_its_last_line(data: Path) -> None:
    journal = journal_of(data)
    content, ends = journal.read_bytes(), lengths(journal)
    for length in range(len(content) + 1):
        journal.write_bytes(content[:length])
        whole = [end for end in ends if end <= length]
        contents, found = replayed(data)
        assert counted(contents) == AFTER[max(len(whole) - 1, 0)]
        assert found.end == max(whole, default=0)


@pytest.mark.parametrize("line", range(7))
@pytest.mark.parametrize("missing", [1, 2, 20])
def test_a_torn_end_is_dropped_and_told_of(
    data: Path, caplog: pytest.LogCaptureFixture, line: int, missing: int
) -> None:
    caplog.set_level(logging.WARNING)
    journal = journal_of(data)
    end, good = lengths(journal)[line] - missing, [0, *lengths(journal)][line]
    journal.write_bytes(journal.read_bytes()[:end])
    assert tuple(map(len, asked(data, everything))) == AFTER[max(line - 1, 0)]
    (record,) = caplog.records
    assert str(journal) in record.getMessage()
    assert f"dropped its last {end - good} bytes, from byte {good} on" in record.getMessage()
    caplog.clear()
    assert tuple(map(len, asked(data, everything))) == AFTER[max(line - 1, 0)]
    assert caplog.records == [], "it is told of once"


def test_a_torn_end_of_what_is_refused_is_left(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = journal_of(data)
    journal.write_bytes(journal.read_bytes()[:-1])
    before = journal.read_bytes()
    with pytest.raises(StoreError, match="filled by the stub"):
        TinyDBStore(data, public_allowed=False)
    assert (journal.read_bytes(), caplog.records) == (before, [])


def test_what_is_written_behind_a_torn_end_is_kept(data: Path) -> None:
    journal = journal_of(data)
    journal.write_bytes(journal.read_bytes()[:-1])
    store = TinyDBStore(data, public_allowed=True)
    asyncio.run(store.add_mail(mail("new@x.test")))
    again = killed(data, data.parent / "again")
    asyncio.run(store.close())
    recipients = [each.recipient for each in asked(again, TinyDBStore.mails)]
    assert recipients == ["ada@x.test", "new@x.test"]


def test_damage_of_any_byte_that_is_followed_by_a_line_is_found(data: Path) -> None:
    journal = journal_of(data)
    content = journal.read_bytes()
    for at in range(lengths(journal)[-2] - 1):
        journal.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(DamagedJournal, match="at byte"):
            replayed(data)


@pytest.mark.parametrize("line", range(6))
def test_a_line_that_is_missing_is_missed(data: Path, line: int) -> None:
    journal = journal_of(data)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:line] + lines[line + 1 :]))
    message = refusal(data)
    assert "cannot be used with its journal" in message
    assert f"line {line + 1}, at byte {len(b''.join(lines[:line]))}: expected" in message


def test_damage_of_the_last_line_is_no_torn_end(data: Path) -> None:
    journal = journal_of(data)
    journal.write_bytes(journal.read_bytes()[:-3] + b"  \n")
    message = refusal(data)
    assert f"the journal {journal} is damaged: line 7" in message


def test_a_journal_without_its_data_file_is_refused(data: Path) -> None:
    data.unlink()
    message = refusal(data)
    assert "is not there, but its journal" in message
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
    journal_of(data).rename(data.with_name("data.json.journal.2"))
    data.write_bytes(data.read_bytes().replace(b'"generation": 1', b'"generation": 2'))
    assert "expected the head of a journal of generation 2, found one of generation 1" in refusal(
        data
    )


@pytest.mark.parametrize(
    "content", [b"\n", b'{"format": "other"}\n', b"[1]\n", b"\xff\n", b'{"generation": 1}\n']
)
def test_a_journal_of_another_program_is_refused(data: Path, content: bytes) -> None:
    journal_of(data).write_bytes(content)
    assert "found something else" in refusal(data)


STRANGE = {
    "expected a change of users, sessions and outbox": ["[]", '{"clients": {}}'],
    "public: expected true or false": ['{"public": 1}'],
    "users: expected an object of records": ['{"users": []}'],
    "users: expected records with numbers for names": ['{"users": {"x": null}}'],
    "sessions: expected records with a SHA-256 for a name": ['{"sessions": {"7": null}}'],
    "users.8: expected a member": ['{"users": {"8": {}}}'],
    "users: expected records under their ids": [f'{{"users": {{"9": {json.dumps(BEA)}}}}}'],
    "sessions: expected records under their digests": [
        f'{{"sessions": {{"{"0" * 64}": {json.dumps(document_of(session("t", 7)))}}}}}'
    ],
    "outbox: expected a record to remove, found none": ['{"outbox": {"9": null}}'],
    "expected JSON, found something else": ["{", "[" * 100_000, '{"users": {}, "users": {}}'],
}


@pytest.mark.parametrize(
    ("found", "change"), [(found, change) for found, each in STRANGE.items() for change in each]
)
def test_a_change_that_does_not_fit_is_refused(data: Path, found: str, change: str) -> None:
    _, good = replayed(data)
    line, _ = line_of(change.encode(), good.checksum)
    with journal_of(data).open("ab") as journal:
        journal.write(line)
    message = refusal(data)
    assert f"line 8, at byte {good.end}: " in message
    assert found in message


def test_a_journal_that_cannot_be_read_is_refused(data: Path) -> None:
    journal_of(data).unlink()
    journal_of(data).mkdir()
    with pytest.raises(StoreError, match="cannot be read together with its journal: Is a dir"):
        TinyDBStore(data, public_allowed=True)


def test_a_torn_end_that_cannot_be_cut_off_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal_of(data).write_bytes(journal_of(data).read_bytes()[:-1])

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "ftruncate", full)
    assert "cannot be written: No space left on device" in refusal(data)


def test_a_data_file_that_was_edited_against_its_journal_is_refused(data: Path) -> None:
    tables = json.loads(data.read_text())
    tables["users"] = {"8": BEA}
    data.write_text(json.dumps(tables))
    assert "does not fit: users: expected each email_key once" in refusal(data)


def test_two_journals_are_one_after_the_other(data: Path) -> None:
    """As a process leaves them that is killed between the begin of a compaction and its end."""
    store = TinyDBStore(data, public_allowed=True)
    store._file.begin_compaction()
    asyncio.run(store.add_mail(mail("new@x.test")))
    again = killed(data, data.parent / "again")
    store._file.journal.close()
    assert store._file._lock is not None
    store._file._lock.release()
    assert len(files(again)) == 3
    torn = killed(again, data.parent / "torn")
    assert tuple(map(len, asked(again, everything))) == (1, 1, 1)
    first = journal_of(torn)
    first.write_bytes(first.read_bytes()[:-1])
    assert "expected whole lines, found half of one" in refusal(torn)


def version_1(data: Path) -> bytes:
    """Makes `data` a file as it was when there were no journals."""
    asked(data, everything)
    tables = json.loads(data.read_text())
    del tables["meta"]["1"]["generation"]
    tables["meta"]["1"]["version"] = 1
    data.write_text(json.dumps(tables))
    return data.read_bytes()


def test_a_file_of_version_1_is_left_as_it_is_until_something_is_written(data: Path) -> None:
    older = version_1(data)
    assert tuple(map(len, asked(data, everything))) == AFTER[-1]
    assert data.read_bytes() == older
    store = TinyDBStore(data, public_allowed=True)
    asyncio.run(store.add_mail(mail("new@x.test")))
    again = killed(data, data.parent / "again")
    asyncio.run(store.close())
    assert json.loads(again.read_text())["meta"]["1"]["version"] == 2
    assert tuple(map(len, asked(again, everything))) == (1, 1, 1)


def test_a_file_of_version_1_beside_a_journal_is_refused(data: Path) -> None:
    journal = journal_of(data).read_bytes()
    version_1(data)
    journal_of(data).write_bytes(journal)
    assert "expected no journal, found 1" in refusal(data)


def test_after_a_clean_stop_plain_tinydb_reads_the_whole_file(data: Path) -> None:
    store = TinyDBStore(data, public_allowed=True)
    asyncio.run(store.add_client(about_to_register("ada@x.test"), None))
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
