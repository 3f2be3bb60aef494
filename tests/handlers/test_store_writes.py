"""Writing to the TinyDB store: a write is there or it is not, in the files and in memory."""

import asyncio
import errno
import os
import stat
import threading
from collections.abc import Callable, Container
from pathlib import Path

import pytest
from support.command import run
from support.disk import InterceptedDisk
from support.limits import LIMIT
from support.live import Live
from support.records import session, user
from support.store import ACTS, stored_text

from clients_register.handlers import resources
from clients_register.handlers.models import User
from clients_register.handlers.store.base import StoreError, StoreUnavailable
from clients_register.handlers.store.journaled import database
from clients_register.handlers.store.journaled.disk import File
from clients_register.handlers.store.tinydb import TinyDBStore


class Syncs:
    """Counts the calls that make files durable, and lets some of them fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.failing: Container[int] = ()

    def fail(self, calls: Container[int]) -> None:
        """Fails the calls of these numbers from now on: 0 is the file's, 1 its directory's."""
        self.calls, self.failing = 0, calls

    def __call__(self, kind: str, path: Path) -> None:
        if "sync" in kind:
            self.calls += 1
            if self.calls - 1 in self.failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


FULL = range(1000)


@pytest.fixture
def syncs() -> Syncs:
    return Syncs()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.json"


def unwatched(kind: str, path: Path) -> None:
    """Lets every operation happen."""


def opened(path: Path, intercept: Callable[[str, Path], None] = unwatched) -> TinyDBStore:
    return TinyDBStore(path, public_allowed=True, disk=InterceptedDisk(intercept))


async def with_a_user(
    path: Path, intercept: Callable[[str, Path], None] = unwatched
) -> tuple[TinyDBStore, User]:
    store, there = opened(path, intercept), user(7, "there@x.test")
    await store.seed([there], [session("old", 7)], public=False)
    return store, there


async def snapshot(store: TinyDBStore) -> list[object]:
    """Everything in memory that an act of ACTS may change."""
    emails = ("there@x.test", "new@x.test", "s@x.test", "t@x.test")
    tokens = ("old", "new", "s", "t")
    return [
        *[await store.user_by_email(email) for email in emails],
        *[await store.user(number) for number in range(1010)],
        *[await store.session(session(token, 7).digest) for token in tokens],
        await store.mails(),
        await store.count_clients(),
    ]


def beside(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir()}


@pytest.mark.parametrize("calls", [FULL, [0]], ids=["for now", "once"])
@pytest.mark.parametrize("act", ACTS)
async def test_a_write_that_fails_leaves_everything_as_it_was_and_can_be_made_again(
    path: Path, syncs: Syncs, act: str, calls: Container[int]
) -> None:
    store, there = await with_a_user(path, syncs)
    content, before = stored_text(path), await snapshot(store)
    syncs.fail(calls)
    with pytest.raises(StoreUnavailable, match="No space left"):
        await ACTS[act](store, there)
    assert await snapshot(store) == before
    assert stored_text(path) == content
    assert beside(path) == {"data.json", "data.json.journal.1", "data.json.lock"}
    syncs.fail(())
    await ACTS[act](store, there)
    after = await snapshot(store)
    await store.close()
    again = opened(path)
    assert await snapshot(again) == after
    await again.close()


@pytest.mark.parametrize("act", ACTS)
async def test_an_act_is_one_write(path: Path, syncs: Syncs, act: str) -> None:
    store, there = await with_a_user(path, syncs)
    before = syncs.calls
    await ACTS[act](store, there)
    assert syncs.calls - before == 1
    await store.close()


async def test_a_thousand_users_are_one_write(path: Path, syncs: Syncs) -> None:
    store = opened(path, syncs)
    before = syncs.calls
    people = [user(number, f"{number}@x.test") for number in range(1, 1001)]
    await store.seed(people, [session(each.email, each.id) for each in people], public=False)
    assert syncs.calls - before == 2, "the new journal and its directory"
    await store.close()


@pytest.mark.parametrize("calls", [FULL, [0], [1]], ids=["all", "file", "directory"])
def test_a_file_that_cannot_be_made_is_told_of(
    path: Path, syncs: Syncs, calls: Container[int]
) -> None:
    syncs.fail(calls)
    with pytest.raises(StoreError, match="cannot be written: No space left"):
        opened(path, syncs)
    assert beside(path) == {"data.json.lock"}
    asyncio.run(opened(path).close())


@pytest.mark.parametrize("act", ACTS)
async def test_a_caller_who_is_cancelled_leaves_file_and_memory_in_agreement(
    path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    disk = InterceptedDisk(unwatched)
    store, there = TinyDBStore(path, public_allowed=True, disk=disk), user(7, "there@x.test")
    await store.seed([there], [session("old", 7)], public=False)
    writing, go_on = threading.Event(), threading.Event()

    def held(kind: str, path: Path) -> None:
        if kind == "sync":
            writing.set()
            assert go_on.wait(LIMIT)

    disk.intercept = held
    monkeypatch.setattr(database, "FAST_WRITE", 0)
    task = asyncio.ensure_future(ACTS[act](store, there))
    assert await asyncio.to_thread(writing.wait, LIMIT)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await store.close()
    in_memory = await snapshot(store)
    again = opened(path)
    assert await snapshot(again) == in_memory
    await again.close()


@pytest.mark.files
def test_a_full_disk_is_a_crash_and_the_server_goes_on(
    start: Callable[[], Live], email: str, syncs: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = InterceptedDisk(syncs)
    monkeypatch.setattr(resources, "disk_for", lambda _: disk)
    live = start()
    content = stored_text(live.settings.data_file)
    syncs.fail(FULL)
    assert live.register(email)["status"] == "application-crash"
    assert stored_text(live.settings.data_file) == content
    syncs.fail(())
    assert live.register(email)["status"] == "action-successful"


def test_a_write_that_ends_early_is_continued() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with pytest.raises(BlockingIOError):
        File(writing).write(bytes(2**20))
    os.close(writing)
    os.close(reading)


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")
def test_only_its_owner_reads_the_file(path: Path) -> None:
    leftover = path.with_name("data.json.new")
    leftover.write_text("left by a process that was killed")
    leftover.chmod(0o644)
    asyncio.run(opened(path).close())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not leftover.exists()


async def test_a_link_to_the_file_stays_a_link(path: Path) -> None:
    link = path.with_name("link.json")
    link.symlink_to(path)
    store, _ = await with_a_user(link)
    assert link.is_symlink()
    with pytest.raises(StoreError, match="in use"):
        opened(path)
    await store.close()


async def test_each_record_has_a_line(path: Path) -> None:
    store, _ = await with_a_user(path)
    await store.close()
    lines = stored_text(path).splitlines()
    assert sum("there@x.test" in line for line in lines) == 1
    assert sum('"digest"' in line for line in lines) == 1


@pytest.mark.files
def test_a_second_process_is_refused(live: Live) -> None:
    data = live.settings.data_file
    content = data.read_bytes()
    second = run("serve", "--port", "0", "--data", str(data))
    assert second.returncode == 1
    assert f"the data file {data} is in use by another process" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert data.read_bytes() == content
