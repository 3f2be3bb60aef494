"""Files of the TinyDB store that another program takes away, replaces or may not share."""

import asyncio
import os
import shutil
import stat
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from support.records import mail
from support.store import asked, journal_of

from clients_register.handlers.store.base import StoreError, StoreUnavailable
from clients_register.handlers.store.journaled import storage
from clients_register.handlers.store.tinydb import TinyDBStore

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows does not let other programs remove an open file"
)

opened = partial(TinyDBStore, public_allowed=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.json"


def remove(path: Path) -> None:
    path.unlink()


def move(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))


def move_back(path: Path) -> None:
    path.with_suffix(".moved").rename(path)


def replace_by_a_copy(path: Path) -> None:
    copy = path.with_suffix(".copy")
    shutil.copy2(path, copy)
    copy.rename(path)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def set_mode(path: Path, mode: int) -> None:
    path.chmod(mode)


def edit_in_place(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


INTERFERENCE: list[Callable[[Path], None]] = [remove, move, replace_by_a_copy]


async def refused(write: Callable[[], Awaitable[object]], file: Path) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        await write()
    assert f"another program removed, replaced or changed {file} while" in str(caught.value)


@pytest.mark.parametrize("interfere", [*INTERFERENCE, edit_in_place])
async def test_no_write_succeeds_after_the_data_file_was_taken_away(
    path: Path, interfere: Callable[[Path], None]
) -> None:
    store = opened(path)
    await store.add_mail(mail("first@x.test"))
    interfere(path)
    await refused(lambda: store.add_mail(mail("second@x.test")), path)
    await refused(lambda: store.add_mail(mail("third@x.test")), path)
    assert [each.recipient for each in await store.mails()] == ["first@x.test"]
    await store.close()


async def test_a_file_that_was_away_is_not_trusted_again(path: Path) -> None:
    """Others may have written to it meanwhile."""
    store = opened(path)
    move(path)
    await refused(lambda: store.add_mail(mail("first@x.test")), path)
    move_back(path)
    await refused(lambda: store.add_mail(mail("second@x.test")), path)
    await store.close()


@pytest.mark.parametrize("idle", [False, True], ids=["open", "released"])
@pytest.mark.parametrize("interfere", INTERFERENCE)
async def test_no_write_succeeds_after_the_journal_was_taken_away(
    path: Path, interfere: Callable[[Path], None], *, idle: bool
) -> None:
    store, journal = opened(path), journal_of(path)
    await store.add_mail(mail("first@x.test"))
    if idle:
        store.release_files()
    interfere(journal)
    await refused(lambda: store.add_mail(mail("second@x.test")), journal)
    await refused(lambda: store.add_mail(mail("third@x.test")), journal)
    await store.close(compact=False)
    mails = await asyncio.to_thread(asked, path, TinyDBStore.mails)
    assert [each.recipient for each in mails] == ["first@x.test"], "the stop saved it"


async def test_released_files_are_opened_again(path: Path) -> None:
    store = opened(path)
    for number in range(3):
        await store.add_mail(mail(f"{number}@x.test"))
        store.release_files()
    await store.close(compact=False)
    assert journal_of(path).exists()
    assert len(await asyncio.to_thread(asked, path, TinyDBStore.mails)) == 3


@pytest.mark.parametrize("compacted", [False, True])
async def test_a_file_is_locked_although_its_lock_file_was_removed(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, compacted: bool
) -> None:
    store = opened(path)
    if compacted:
        monkeypatch.setattr(storage, "MIN_COMPACTION_SIZE", 0)
        await store.add_mail(mail("a@x.test"))
        await store.remove()
    path.with_name("data.json.lock").unlink()
    with pytest.raises(StoreError, match="is in use by another process; stop that one"):
        opened(path)
    await store.close()
    await opened(path).close()


@pytest.mark.parametrize("mode", [0o640, 0o660, 0o644])
async def test_the_mode_that_a_data_file_was_given_is_kept(path: Path, mode: int) -> None:
    await opened(path).close()
    set_mode(path, mode)
    store = opened(path)
    await store.add_mail(mail("a@x.test"))
    assert mode_of(journal_of(path)) == mode
    await store.close()
    assert mode_of(path) == mode


async def test_without_the_group_of_a_file_its_rights_are_not_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise they would go to another group."""

    def refuse(*_: object) -> None:
        raise PermissionError

    await opened(path).close()
    set_mode(path, 0o660)
    store = opened(path)
    await store.add_mail(mail("a@x.test"))
    monkeypatch.setattr("os.fchown", refuse)
    group = os.getegid()
    monkeypatch.setattr(
        "clients_register.handlers.store.journaled.disk.Disk.permissions",
        lambda *_: (0o660, group + 1),
    )
    await store.close()
    assert mode_of(path) == 0o600
