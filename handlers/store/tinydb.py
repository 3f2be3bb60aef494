"""The default store: TinyDB on one file, for one process."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from tinydb.table import Document

from clients_register.handlers.records import Client, Mail, Registration, Session, User
from clients_register.handlers.store import EmailTaken
from clients_register.handlers.store.contents import head, number_of
from clients_register.handlers.store.documents import document_of
from clients_register.handlers.store.newcomers import newcomers
from clients_register.handlers.store.opening import opened

P = ParamSpec("P")
T = TypeVar("T")

# What is to stand in a table, by number; None where nothing is.
Changes = Mapping[int, Mapping[str, Any] | None]

# Ids up to here are for seeds, so that a seeded id never meets one that was given out.
LAST_SEEDED_ID = 1000


def whole(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Lets a write finish though its caller was cancelled, so that file and memory agree."""

    @wraps(method)
    async def shielded(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.shield(asyncio.create_task(method(*args, **kwargs)))

    return shielded


class TinyDBStore:
    """See `Store`. Reads come from memory; a write is durable in the file before it is seen.

    One lock is held across each check and its insert, and the file is written by a thread, so that
    the event loop goes on meanwhile.
    """

    def __init__(self, path: Path, *, public_allowed: bool, locked: bool = True) -> None:
        """Opens `path`, or starts an empty store that is written there.

        Raises StoreError, and leaves the file as it is, where it is damaged, of another program,
        in use by another process, or holds public secrets that are not `public_allowed`. Without
        `locked` the caller sees to it that no other process uses it.
        """
        self._file = opened(path, public_allowed=public_allowed, locked=locked)
        self._writing = asyncio.Lock()
        contents = self._file.contents
        self._public = contents.public
        self._users = contents.users
        self._sessions = contents.sessions
        self._mails = contents.mails
        self._by_email = {user.email_key: user.id for user in self._users.values()}
        self._last_id = LAST_SEEDED_ID
        self._pass_ids(self._users.values())

    async def user(self, user_id: int) -> User | None:
        """See `Store.user`."""
        return self._users.get(user_id)

    async def user_by_email(self, email_key: str) -> User | None:
        """See `Store.user_by_email`."""
        user_id = self._by_email.get(email_key)
        return None if user_id is None else self._users[user_id]

    @whole
    async def add_client(self, registration: Registration, user: User | None) -> User:
        """See `Store.add_client`."""
        async with self._writing:
            owner = await self.user_by_email(registration.email_key)
            if owner is None and user is not None:
                raise LookupError(f"user {user.id} is not there any more")
            if owner is not None and (user is None or owner.id != user.id or owner.client):
                raise EmailTaken
            fields = asdict(registration)
            password_hash = fields.pop("password_hash")
            email_key = fields.pop("email_key")
            if owner is None:
                owner = User(self._next_id(), registration.email, email_key, password_hash)
            member = replace(owner, client=Client(id=self._next_id(), **fields))
            await self._commit(users={member.id: document_of(member)})
            self._remember(member)
            return member

    @whole
    async def remove_client(self, user: User, before: User | None) -> None:
        """See `Store.remove_client`."""
        async with self._writing:
            if self._users.get(user.id) != user:
                return
            if before is not None:
                await self._commit(users={before.id: document_of(before)})
                self._remember(before)
                return
            await self._remove([user.id], [])

    async def session(self, digest: str) -> Session | None:
        """See `Store.session`."""
        return self._sessions.get(digest)

    @whole
    async def put_session(self, session: Session) -> None:
        """See `Store.put_session`."""
        async with self._writing:
            if session.user_id not in self._users:
                raise LookupError(f"a session of user {session.user_id}, who is not there")
            await self._commit(sessions={number_of(session): document_of(session)})
            self._sessions[session.digest] = session

    @whole
    async def add_mail(self, mail: Mail) -> None:
        """See `Store.add_mail`."""
        async with self._writing:
            number = max(self._mails, default=0) + 1
            await self._commit(outbox={number: document_of(mail)})
            self._mails[number] = mail

    async def mails(self) -> Sequence[Mail]:
        """See `Store.mails`."""
        return tuple(self._mails[number] for number in sorted(self._mails))

    async def users(self) -> Sequence[User]:
        """See `Store.users`."""
        return tuple(self._users[number] for number in sorted(self._users))

    async def sessions(self) -> Sequence[Session]:
        """See `Store.sessions`."""
        return tuple(self._sessions.values())

    @whole
    async def remove(
        self, users: Iterable[int] = (), sessions: Iterable[str] = (), *, mails: bool = False
    ) -> None:
        """See `Store.remove`."""
        async with self._writing:
            await self._remove(users, sessions, mails=mails)
            # A store that is as at the start gives out the same ids once more.
            self._last_id = LAST_SEEDED_ID
            self._pass_ids(self._users.values())

    @whole
    async def seed(
        self, users: Iterable[User], sessions: Iterable[Session], *, public: bool
    ) -> None:
        """See `Store.seed`."""
        async with self._writing:
            new = newcomers(users, self._users, self._file.path)
            put = list(sessions)
            if nobody := {each.user_id for each in put} - {*self._users, *(u.id for u in new)}:
                raise LookupError(f"sessions of users {sorted(nobody)}, who are not there")
            public = public or self._public
            await self._commit(
                meta={1: head(public=public)},
                users={user.id: document_of(user) for user in new},
                sessions={number_of(session): document_of(session) for session in put},
            )
            self._public = public
            self._pass_ids(new)
            for user in new:
                self._remember(user)
            self._sessions.update((session.digest, session) for session in put)

    async def count_clients(self) -> int:
        """See `Store.count_clients`."""
        return sum(user.client is not None for user in self._users.values())

    async def close(self) -> None:
        """See `Store.close`."""
        async with self._writing:
            self._file.close()

    async def _remove(
        self, users: Iterable[int], sessions: Iterable[str], *, mails: bool = False
    ) -> None:
        leaving = {number: self._users[number] for number in users if number in self._users}
        named = set(sessions)
        ended = [
            each
            for each in self._sessions.values()
            if each.user_id in leaving or each.digest in named
        ]
        await self._commit(
            users=dict.fromkeys(leaving),
            sessions={number_of(each): None for each in ended},
            outbox=dict.fromkeys(self._mails if mails else ()),
        )
        for session in ended:
            del self._sessions[session.digest]
        for user in leaving.values():
            del self._users[user.id]
            del self._by_email[user.email_key]
        if mails:
            self._mails.clear()

    def _next_id(self) -> int:
        # One sequence for users and clients, so that the two numbers of a person never coincide.
        self._last_id += 1
        return self._last_id

    def _pass_ids(self, users: Iterable[User]) -> None:
        """Sees to it that no id of `users` or their clients is given out."""
        for user in users:
            self._last_id = max(self._last_id, user.id, user.client.id if user.client else 0)

    def _remember(self, user: User) -> None:
        self._users[user.id] = user
        self._by_email[user.email_key] = user.id

    async def _commit(self, **tables: Changes) -> None:
        """Makes all changes durable with one write, or, where that raises OSError, none."""
        await asyncio.to_thread(self._change, tables)

    def _change(self, tables: Mapping[str, Changes]) -> None:
        with self._file.storage.at_once():
            for name, changes in tables.items():
                table = self._file.database.table(name, cache_size=0)
                # TinyDB's update would change documents in place, and its upsert writes twice.
                table.remove(doc_ids=[each for each in changes if table.contains(doc_id=each)])
                table.insert_multiple(
                    Document(document, doc_id=number)
                    for number, document in changes.items()
                    if document is not None
                )
