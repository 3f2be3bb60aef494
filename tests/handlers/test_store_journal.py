"""The journal of the TinyDB store: what of it is believed."""

import asyncio
import errno
import json
import logging
import os
from pathlib import Path

import pytest
from support.disk import InterceptedDisk
from support.records import mail, session, user
from support.store import (
    AFTER,
    asked,
    everything,
    flipped,
    journal_of,
    killed,
    lengths,
    refusal,
    to_document,
)

from clients_register.handlers.store.base import StoreError
from clients_register.handlers.store.journaled.journal import encode_line, replay
from clients_register.handlers.store.tinydb import TinyDBStore

BEA = to_document(user(8, "bea@x.test"))


def test_each_change_is_a_line_of_json(left: Path) -> None:
    head, *changes = map(json.loads, journal_of(left).read_text().splitlines())
    assert head == {"format": "tinydb journal", "version": 1, "generation": 1}
    assert [list(each) for each in changes] == [["crc32", "changes"]] * 6
    assert changes[5]["changes"] == [{"outbox": {"1": None}}]


@pytest.mark.parametrize("line", range(7))
@pytest.mark.parametrize("missing", [1, 20])
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


def test_a_last_line_with_zeros_in_it_is_torn(data: Path) -> None:
    """As file systems leave it if the length reached the disk, but not all of the content."""
    journal = journal_of(data)
    content, line = journal.read_bytes(), lengths(journal)[-2]
    journal.write_bytes(content[: line + 20] + bytes(10) + content[line + 30 :])
    assert tuple(map(len, asked(data, everything))) == AFTER[-2]


def test_zeros_in_any_other_line_are_damage(data: Path) -> None:
    journal = journal_of(data)
    content, line = journal.read_bytes(), lengths(journal)[-3]
    journal.write_bytes(content[: line + 20] + bytes(10) + content[line + 30 :])
    assert f"line 6, at byte {line}: expected" in refusal(data)


def test_a_torn_end_of_what_is_refused_is_left(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = journal_of(data)
    journal.write_bytes(journal.read_bytes()[:-1])
    before = journal.read_bytes()
    with pytest.raises(StoreError, match="created by the stub"):
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


@pytest.mark.once
def test_each_flipped_bit_of_a_journal_is_found(data: Path) -> None:
    for damaged in flipped(journal_of(data).read_bytes()):
        with pytest.raises(ValueError, match="at byte"):
            replay(damaged, 1, {})


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


@pytest.mark.parametrize(
    "content", [b"\n", b'{"format": "other"}\n', b"[1]\n", b"\xff\n", b'{"generation": 1}\n']
)
def test_a_journal_of_another_program_is_refused(data: Path, content: bytes) -> None:
    journal_of(data).write_bytes(content)
    assert "found something else" in refusal(data)


STRANGE = {
    "expected changes of documents": ["[]", '{"users": []}', '{"public": 1}'],
    "users: expected ids of documents": ['{"users": {"x": null}}'],
    "users.8: expected an object": ['{"users": {"8": 5}}'],
    "outbox.9: expected a document to remove, found none": ['{"outbox": {"9": null}}'],
    "Expecting": ["{"],
    "recursion": ["[" * 100_000],
    "duplicate names": ['{"users": {}, "users": {}}', '{"users": {"8": {}, "8": {}}}'],
}


@pytest.mark.parametrize(
    ("found", "change"), [(found, change) for found, each in STRANGE.items() for change in each]
)
def test_a_change_that_does_not_fit_is_refused(data: Path, found: str, change: str) -> None:
    good = replay(journal_of(data).read_bytes(), 1, {})
    line, _ = encode_line([change.encode()], good.checksum)
    with journal_of(data).open("ab") as journal:
        journal.write(line)
    message = refusal(data)
    assert f"line 8, at byte {good.end}: " in message
    assert found in message


INVALID = {
    "users.8: Object missing required field": '{"users": {"8": {}}}',
    "users.9.id: expected the number of the record": f'{{"users": {{"9": {json.dumps(BEA)}}}}}',
    "sessions.9.digest: expected a SHA-256 with that number": (
        f'{{"sessions": {{"9": {json.dumps(to_document(session("t", 7)))}}}}}'
    ),
}


@pytest.mark.parametrize("found", INVALID)
def test_an_invalid_record_in_a_journal_is_refused(data: Path, found: str) -> None:
    good = replay(journal_of(data).read_bytes(), 1, {})
    line, _ = encode_line([INVALID[found].encode()], good.checksum)
    with journal_of(data).open("ab") as journal:
        journal.write(line)
    message = refusal(data)
    assert "with its journals, is damaged" in message
    assert found in message


def test_a_journal_that_cannot_be_read_is_refused(data: Path) -> None:
    journal_of(data).unlink()
    journal_of(data).mkdir()
    with pytest.raises(StoreError, match="cannot be read together with its journal: Is a dir"):
        TinyDBStore(data, public_allowed=True)


def test_a_torn_end_that_cannot_be_cut_off_is_refused(data: Path) -> None:
    journal_of(data).write_bytes(journal_of(data).read_bytes()[:-1])

    def full(kind: str, path: Path) -> None:
        if kind == "truncate":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert "cannot be written: No space left on device" in refusal(data, InterceptedDisk(full))
