"""The data file is rewritten while others write, who neither wait for it nor lose anything."""

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest
from support.disk import InterceptedDisk
from support.limits import LIMIT
from support.records import mail
from support.store import asked, files

from clients_register.handlers.store.journaled import storage
from clients_register.handlers.store.tinydb import TinyDBStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.json"


def opened(path: Path, disk: InterceptedDisk) -> TinyDBStore:
    return TinyDBStore(path, public_allowed=True, disk=disk)


def go_on(kind: str, path: Path) -> None:
    """Lets every operation happen."""


async def test_writers_go_on_while_the_file_is_compacted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = InterceptedDisk(go_on)
    store = opened(path, disk)
    begun, resume = threading.Event(), threading.Event()

    def hold(kind: str, path: Path) -> None:
        if kind == "create":
            begun.set()
            assert resume.wait(LIMIT)

    disk.intercept = hold
    monkeypatch.setattr(storage, "MIN_COMPACTION_SIZE", 2000)
    number = 0
    while not begun.is_set():
        number += 1
        await store.add_mail(mail(f"{number}@x.test"))
    for _ in range(20):
        number += 1
        await store.add_mail(mail(f"{number}@x.test"))
    assert len(files(path)) == 3
    resume.set()
    await store.close()
    assert files(path) == [path]
    assert len(await asyncio.to_thread(asked, path, TinyDBStore.mails)) == number


async def test_a_compaction_that_fails_is_told_of_and_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = InterceptedDisk(go_on)
    store = opened(path, disk)

    def full(kind: str, path: Path) -> None:
        if kind == "create":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    disk.intercept = full
    monkeypatch.setattr(storage, "MIN_COMPACTION_SIZE", 2000)
    for number in range(40):
        await store.add_mail(mail(f"{number}@x.test"))
    await store.close()
    assert "cannot be compacted: [Errno 28] No space left on device; nothing is lost" in (
        caplog.text
    )
    assert len(files(path)) > 3
    assert len(await asyncio.to_thread(asked, path, TinyDBStore.mails)) == 40
    assert files(path) == [path]


async def test_snapshots_are_a_constant_share_of_all_writing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = list[int]()

    def measure(kind: str, path: Path) -> None:
        if kind == "rename":
            sizes.append(path.stat().st_size)

    store = opened(path, InterceptedDisk(measure))
    monkeypatch.setattr(storage, "MIN_COMPACTION_SIZE", 2000)
    for number in range(500):
        await store.add_mail(mail(f"{number}@x.test"))
    await store.close()
    assert len(sizes) > 2
    assert sum(sizes) < 4 * sizes[-1]
