"""Writes to the TinyDB store side by side: what they share, wait for, and how they fail."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.disk import InterceptedDisk
from support.limits import LIMIT
from support.records import about_to_register, mail, register_client, session, user
from support.store import stored_text

from clients_register.handlers.models import User
from clients_register.handlers.store.base import EmailTaken, StoreUnavailable
from clients_register.handlers.store.journaled import database
from clients_register.handlers.store.journaled.database import GroupCommit
from clients_register.handlers.store.tinydb import TinyDBStore


class Gate:
    """Lets syncs of a journal through one by one, each with what becomes of it."""

    def __init__(self) -> None:
        self.calls = 0
        self.arrived = threading.Semaphore(0)
        self._failed = False
        self._outcomes: list[OSError | None] = []
        self._open = threading.Semaphore(0)

    def __call__(self, kind: str, path: Path) -> None:
        # After a failure, the end of the journal is cut off; that is let through.
        if kind == "truncate":
            self._failed = True
        if kind != "sync" or ".journal." not in path.name:
            return
        if self._failed:
            self._failed = False
            return
        self.calls += 1
        self.arrived.release()
        assert self._open.acquire(timeout=LIMIT)
        error = self._outcomes.pop(0)
        if error is not None:
            raise error

    def let(self, *, fail: bool = False) -> None:
        self._outcomes.append(OSError(errno.EIO, os.strerror(errno.EIO)) if fail else None)
        self._open.release()

    async def met(self) -> None:
        """Waits until a write is at the disk."""
        assert await asyncio.to_thread(self.arrived.acquire, timeout=LIMIT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.json"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """A disk that is waited for in a thread, and takes its time."""
    monkeypatch.setattr(database, "FAST_WRITE", 0)
    return Gate()


def opened(path: Path, intercept: Callable[[str, Path], None]) -> TinyDBStore:
    return TinyDBStore(path, public_allowed=True, disk=InterceptedDisk(intercept))


def registering(store: TinyDBStore, *names: str) -> list[asyncio.Task[User]]:
    return [
        asyncio.create_task(register_client(store, about_to_register(f"{name}@x.test"), None))
        for name in names
    ]


async def begun() -> None:
    """Lets tasks go on to where they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_writes_that_come_while_the_disk_is_busy_share_the_next_sync(
    path: Path, gate: Gate
) -> None:
    store = opened(path, gate)
    first = registering(store, "first")
    await gate.met()
    others = registering(store, *map(str, range(20)))
    await begun()
    assert await store.users() == (), "what is not durable is not seen"
    gate.let()
    await asyncio.gather(*first)
    gate.let()
    await asyncio.gather(*others)
    assert gate.calls == 2
    assert len(await store.users()) == 21
    await store.close()


async def test_writes_that_come_at_once_share_a_sync(
    path: Path,
) -> None:
    calls = list[str]()
    store = opened(path, lambda kind, _: calls.append(kind))
    await store.add_mail(mail("a@x.test"))
    calls.clear()
    await asyncio.gather(*(store.add_mail(mail(f"{number}@x.test")) for number in range(20)))
    assert (calls.count("write"), calls.count("sync")) == (1, 1)
    assert [each.recipient for each in await store.mails()][1:] == [
        f"{number}@x.test" for number in range(20)
    ]
    await store.close()


async def test_of_two_concurrent_writes_of_a_session_the_later_one_counts(path: Path) -> None:
    store = TinyDBStore(path, public_allowed=True)
    first = session("t", 7)
    second = replace(first, last_used_at=first.last_used_at + timedelta(hours=1))
    await store.seed([user(7, "a@x.test")], [first], public=False)
    await asyncio.gather(store.put_session(second), store.put_session(first))
    assert await store.session(first.digest) == first
    await store.close()


async def test_a_registration_waits_for_the_outcome_of_another_of_its_address(
    path: Path, gate: Gate
) -> None:
    store = opened(path, gate)
    (first,) = registering(store, "ada")
    await gate.met()
    second, third = registering(store, "ada", "ada")
    await begun()
    assert not second.done(), "nobody is told of what may still fail"
    gate.let()
    made = await first
    for refused in (second, third):
        with pytest.raises(EmailTaken):
            await refused
    assert await store.users() == (made,)
    await store.close()


async def test_an_address_whose_registration_failed_is_free(path: Path, gate: Gate) -> None:
    store = opened(path, gate)
    (first,) = registering(store, "ada")
    await gate.met()
    second, third = registering(store, "ada", "ada")
    gate.let(fail=True)
    with pytest.raises(StoreUnavailable, match=os.strerror(errno.EIO)):
        await first
    assert await store.users() == ()
    gate.let()
    made = await second
    with pytest.raises(EmailTaken):
        await third
    await store.close()
    assert made.email == "ada@x.test"


async def test_of_a_sync_that_fails_every_write_fails_and_none_is_seen(
    path: Path, gate: Gate
) -> None:
    store = opened(path, gate)
    gate.let()
    await store.seed([user(7, "there@x.test")], [], public=False)
    await gate.met()
    before = stored_text(path)
    blocking = asyncio.create_task(store.add_mail(mail("a@x.test")))
    await gate.met()
    failing = [
        *registering(store, "ada", "bea"),
        asyncio.create_task(store.put_session(session("t", 7))),
    ]
    await begun()
    gate.let()
    await blocking
    gate.let(fail=True)
    outcomes = await asyncio.gather(*failing, return_exceptions=True)
    assert [type(each) for each in outcomes] == [StoreUnavailable] * 3
    assert len(set(map(id, outcomes))) == 3
    assert [each.id for each in await store.users()] == [7]
    assert await store.sessions() == ()
    left = stored_text(path)
    assert left.startswith(before)
    assert "bea@x.test" not in left
    await store.close()


async def test_a_removal_waits_for_what_is_on_its_way_and_lets_nothing_pass(
    path: Path, gate: Gate
) -> None:
    store = opened(path, gate)
    (ada,) = registering(store, "ada")
    await gate.met()
    removing = asyncio.create_task(store.remove(mails=True))
    await begun()
    (bea,) = registering(store, "bea")
    mailing = asyncio.create_task(store.add_mail(mail("a@x.test")))
    await begun()
    assert gate.calls == 1
    gate.let()
    await ada
    await removing
    gate.let()
    await asyncio.gather(bea, mailing)
    assert [each.email for each in await store.users()] == ["ada@x.test", "bea@x.test"]
    assert len(await store.mails()) == 1
    await store.close()


async def test_a_fresh_state_gives_out_the_same_ids_again(path: Path) -> None:
    store = TinyDBStore(path, public_allowed=True)
    first = await register_client(store, about_to_register("ada@x.test"), None)
    await store.remove([first.id])
    again = await register_client(store, about_to_register("ada@x.test"), None)
    assert again == first
    await store.close()


async def test_what_cannot_be_cut_off_is_never_written_behind(
    path: Path,
) -> None:
    failing = set[str]()

    def fail(kind: str, path: Path) -> None:
        if kind in failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = opened(path, fail)
    await store.add_mail(mail("first@x.test"))
    before = stored_text(path)
    failing |= {"sync", "truncate"}
    with pytest.raises(StoreUnavailable, match=os.strerror(errno.EIO)):
        await store.add_mail(mail("second@x.test"))
    failing.remove("sync")
    with pytest.raises(StoreUnavailable, match="cannot be cut off; nothing is stored until it can"):
        await store.add_mail(mail("third@x.test"))
    assert "third" not in stored_text(path)
    assert [each.recipient for each in await store.mails()] == ["first@x.test"]
    failing.clear()
    await store.add_mail(mail("fourth@x.test"))
    assert stored_text(path).startswith(before)
    assert "second" not in stored_text(path)
    await store.close()


class Uncopyable(Exception):
    """An error that `copy.copy` cannot copy: it would call the constructor with other arguments."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)


async def test_a_write_that_fails_with_an_error_that_cannot_be_copied_ends() -> None:
    def fail(contents: Sequence[bytes]) -> None:
        raise Uncopyable(reason="odd")

    commits = GroupCommit(fail, lambda: None)
    with pytest.raises(Uncopyable):
        await asyncio.wait_for(commits.submit(b"{}", lambda: None, lambda: None), LIMIT)
    await commits.idle()
