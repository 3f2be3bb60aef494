"""The data file is written anew beside the writers, who neither wait for it nor lose by it."""

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest
from support.dying import asked
from support.people import mail
from support.stored import files

from clients_register.handlers.store import file
from clients_register.handlers.store.snapshot import SnapshotStorage, Tables
from clients_register.handlers.store.tinydb import TinyDBStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.json"


def opened(path: Path) -> TinyDBStore:
    return TinyDBStore(path, public_allowed=True)


def held(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Snapshots wait: set when one has begun, and to let it go on."""
    begun, go_on, write = threading.Event(), threading.Event(), SnapshotStorage.write

    def waiting(storage: SnapshotStorage, data: Tables) -> None:
        begun.set()
        assert go_on.wait(timeout=30)
        write(storage, data)

    monkeypatch.setattr(SnapshotStorage, "write", waiting)
    return begun, go_on


async def test_writers_go_on_while_the_file_is_compacted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(path)
    begun, go_on = held(monkeypatch)
    monkeypatch.setattr(file, "SMALLEST", 2000)
    number = 0
    while not begun.is_set():
        number += 1
        await store.add_mail(mail(f"{number}@x.test"))
    for _ in range(20):
        number += 1
        await store.add_mail(mail(f"{number}@x.test"))
    assert len(files(path)) == 3
    go_on.set()
    await store.close()
    assert files(path) == [path]
    assert len(await asyncio.to_thread(asked, path, TinyDBStore.mails)) == number


async def test_a_compaction_that_fails_is_told_of_and_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write, store = SnapshotStorage.write, opened(path)
    monkeypatch.setattr(SnapshotStorage, "write", full)
    monkeypatch.setattr(file, "SMALLEST", 2000)
    for number in range(40):
        await store.add_mail(mail(f"{number}@x.test"))
    await store.close()
    assert "cannot be written anew: [Errno 28] No space left on device; nothing is lost" in (
        caplog.text
    )
    assert len(files(path)) > 3
    monkeypatch.setattr(SnapshotStorage, "write", write)
    assert len(await asyncio.to_thread(asked, path, TinyDBStore.mails)) == 40
    assert files(path) == [path]


async def test_snapshots_are_a_constant_share_of_all_writing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, sizes = SnapshotStorage.write, list[int]()

    def counted(storage: SnapshotStorage, data: Tables) -> None:
        write(storage, data)
        sizes.append(storage.size)

    monkeypatch.setattr(SnapshotStorage, "write", counted)
    monkeypatch.setattr(file, "SMALLEST", 2000)
    store = opened(path)
    for number in range(500):
        await store.add_mail(mail(f"{number}@x.test"))
    await store.close()
    assert len(sizes) > 2
    assert sum(sizes) < 4 * sizes[-1]
