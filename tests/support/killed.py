"""A store as a process leaves it that was killed: the data file and its journal."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from support.people import about_to_register, mail, register_client, session, user
from support.stored import files

from clients_register.handlers.store.base import StoreError
from clients_register.handlers.store.disk import LOCAL, Disk
from clients_register.handlers.store.tinydb import TinyDBStore

# What is there after each change of `work`: users, sessions, mails.
AFTER = [(0, 0, 0), (1, 1, 0), (2, 1, 0), (2, 2, 0), (2, 2, 1), (1, 1, 1), (1, 1, 0)]


async def work(path: Path, folder: Path) -> Path:
    """One change of each kind, killed before the end of it: the journal is there."""
    store = TinyDBStore(path, public_allowed=True)
    await store.seed([user(7, "bea@x.test")], [session("t", 7)], public=True)
    made = await register_client(store, about_to_register("ada@x.test"), None)
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


def journal_of(data: Path) -> Path:
    return data.with_name("data.json.journal.1")


def lengths(journal: Path) -> list[int]:
    """How long the journal is after each line."""
    ends, length = [], 0
    for line in journal.read_bytes().splitlines(keepends=True):
        length += len(line)
        ends.append(length)
    return ends


def refusal(data: Path, disk: Disk = LOCAL) -> str:
    """Why the store is not opened, which leaves all files as they are."""
    before = {each: each.read_bytes() for each in data.parent.iterdir() if each.suffix != ".lock"}
    with pytest.raises(StoreError) as caught:
        TinyDBStore(data, public_allowed=True, disk=disk)
    after = {each: each.read_bytes() for each in data.parent.iterdir() if each.suffix != ".lock"}
    assert after == before
    message = str(caught.value)
    assert str(data) in message
    assert "--data" in message, "the next step"
    assert "\n" not in message
    return message


async def everything(store: TinyDBStore) -> tuple[Any, ...]:
    return await store.users(), await store.sessions(), await store.mails()
