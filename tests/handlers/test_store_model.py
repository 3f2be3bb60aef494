"""A store does what dictionaries do, however often it is compacted, closed and killed."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace
from support.postgres import Server
from support.records import about_to_register, mail, register_client, session, user
from support.store import files, in_database

from clients_register.handlers.models import Mail, Session, User
from clients_register.handlers.store.base import EmailTaken, Store
from clients_register.handlers.store.journaled import storage
from clients_register.handlers.store.tinydb import Contents, TinyDBStore

T = TypeVar("T")

NAMES = st.sampled_from("abcd")
TOKENS = st.sampled_from("tuvw")

# The seeded users by id; none of them is a client.
SEEDED = {7: "a", 8: "b"}


class Model(RuleBasedStateMachine):
    """Does everything to a store and to dictionaries."""

    def __init__(self, opening: Callable[[], Awaitable[Store]]) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.opening = opening
        self.store = self.run(self.opened())
        self.users: dict[int, User] = {}
        self.sessions: dict[str, Session] = {}
        self.mails: list[Mail] = []

    def teardown(self) -> None:
        self.run(self.store.close())
        self.runner.close()

    async def opened(self) -> Store:
        return await self.opening()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    def owner(self, name: str) -> User | None:
        return next((u for u in self.users.values() if u.email == f"{name}@x.test"), None)

    def forget(self, leaving: set[int]) -> None:
        self.users = {number: u for number, u in self.users.items() if number not in leaving}
        self.sessions = {d: s for d, s in self.sessions.items() if s.user_id not in leaving}

    @rule(name=NAMES)
    def register(self, name: str) -> None:
        owner = self.owner(name)
        try:
            made = self.run(register_client(self.store, about_to_register(f"{name}@x.test"), owner))
        except EmailTaken:
            assert owner is not None
            assert owner.client is not None
            return
        assert owner is None or owner == replace(made, client=None)
        assert made.client is not None
        numbers = {n for u in self.users.values() for n in (u.id, u.client.id if u.client else 0)}
        assert made.client.id not in numbers
        self.users[made.id] = made

    @rule(names=st.lists(NAMES, min_size=2, max_size=6))
    def register_at_once(self, names: list[str]) -> None:
        async def all_of_them() -> list[User | BaseException]:
            return await asyncio.gather(
                *(
                    register_client(self.store, about_to_register(f"{n}@x.test"), None)
                    for n in names
                ),
                return_exceptions=True,
            )

        free = {name for name in names if self.owner(name) is None}
        outcomes = self.run(all_of_them())
        made = [each for each in outcomes if isinstance(each, User)]
        assert sorted(each.email for each in made) == sorted(f"{name}@x.test" for name in free)
        assert all(isinstance(each, User | EmailTaken) for each in outcomes)
        self.users.update((each.id, each) for each in made)

    @rule(name=NAMES)
    def take_back(self, name: str) -> None:
        owner = self.owner(name)
        if owner is None:
            return
        before = replace(owner, client=None) if owner.id in SEEDED else None
        self.run(self.store.remove_client(owner, before))
        if before is not None:
            self.users[owner.id] = before
        else:
            self.forget({owner.id})

    @rule(name=NAMES, token=TOKENS, remember_me=st.booleans())
    def put_session(self, name: str, token: str, *, remember_me: bool) -> None:
        owner = self.owner(name)
        if owner is None:
            return
        put = session(token, owner.id, remember_me=remember_me)
        self.run(self.store.put_session(put))
        self.sessions[put.digest] = put

    @rule(name=NAMES)
    def add_mail(self, name: str) -> None:
        self.run(self.store.add_mail(mail(name)))
        self.mails.append(mail(name))

    @rule(names=st.sets(NAMES), tokens=st.sets(TOKENS), mails=st.booleans())
    def remove(self, names: set[str], tokens: set[str], *, mails: bool) -> None:
        leaving = {owner.id for name in names if (owner := self.owner(name))}
        ended = {session(token, 1).digest for token in tokens}
        self.run(self.store.remove([*leaving, 99], ended, mails=mails))
        self.forget(leaving)
        self.sessions = {d: s for d, s in self.sessions.items() if d not in ended}
        if mails:
            self.mails = []

    @rule(number=st.sampled_from(sorted(SEEDED)), token=TOKENS)
    def seed(self, number: int, token: str) -> None:
        if (owner := self.owner(SEEDED[number])) and owner.id != number:
            return
        seeded, put = user(number, f"{SEEDED[number]}@x.test"), session(token, number)
        self.run(self.store.seed([seeded], [put], public=True))
        self.users.setdefault(number, seeded)
        self.sessions[put.digest] = put

    @rule()
    def close(self) -> None:
        self.run(self.store.close())
        self.store = self.run(self.opened())

    @invariant()
    def they_agree(self) -> None:
        assert {each.id: each for each in self.run(self.store.users())} == self.users
        assert {each.digest: each for each in self.run(self.store.sessions())} == self.sessions
        assert list(self.run(self.store.mails())) == self.mails
        clients = sum(each.client is not None for each in self.users.values())
        assert self.run(self.store.count_clients()) == clients
        for name in "abcd":
            assert self.run(self.store.user_by_email(f"{name}@x.test")) == self.owner(name)


class FileModel(Model):
    """The same with the TinyDB store, whose file is compacted every few writes.

    What it contained can be restored, also after it was closed or killed.
    """

    dumped: tuple[Contents, dict[int, User], dict[str, Session], list[Mail]]

    def __init__(self) -> None:
        self.smallest, storage.MIN_COMPACTION_SIZE = storage.MIN_COMPACTION_SIZE, 600
        self.folder = TemporaryDirectory()
        self.folders = (Path(self.folder.name, str(number)) for number in count())
        self.path = self.fresh() / "data.json"

        async def opening() -> TinyDBStore:
            return TinyDBStore(self.path, public_allowed=True)

        super().__init__(opening)
        self.dump()

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()
        storage.MIN_COMPACTION_SIZE = self.smallest

    def fresh(self) -> Path:
        folder = next(self.folders)
        folder.mkdir()
        return folder

    @rule()
    def close(self) -> None:
        self.run(self.store.close())
        assert files(self.path) == [self.path]
        self.store = self.run(self.opened())

    @rule()
    def dump(self) -> None:
        assert isinstance(self.store, TinyDBStore)
        self.dumped = self.store.dump(), {**self.users}, {**self.sessions}, [*self.mails]

    @rule()
    def restore(self) -> None:
        assert isinstance(self.store, TinyDBStore)
        contents, users, sessions, mails = self.dumped
        self.run(self.store.restore(contents))
        self.users, self.sessions, self.mails = {**users}, {**sessions}, [*mails]

    @rule()
    def kill(self) -> None:
        """Another process finds the files as they are now."""
        folder = self.fresh()
        assert isinstance(self.store, TinyDBStore)
        with self.store._database.storage._compacting:  # Not while one is under way.
            for each in files(self.path):
                shutil.copy(each, folder)
        self.run(self.store.close())
        self.path = folder / "data.json"
        self.store = self.run(self.opened())


TestModel = FileModel.TestCase
TestModel.settings = settings(max_examples=30, stateful_step_count=30)


@pytest.mark.once
def test_postgres(postgres: Server) -> None:
    """The same with the PostgreSQL store, each time in another database."""

    class PostgresModel(Model):
        def __init__(self) -> None:
            super().__init__(in_database(postgres, postgres.made()))

    run_state_machine_as_test(
        PostgresModel, settings=settings(max_examples=5, stateful_step_count=30)
    )
