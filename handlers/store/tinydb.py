"""The default store: a TinyDB file with a journal beside it, for one process."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from clients_register.handlers.records import Mail, Registration, Session, User
from clients_register.handlers.store import EmailTaken, changes
from clients_register.handlers.store.changes import Change
from clients_register.handlers.store.commits import GroupCommit
from clients_register.handlers.store.disk import LOCAL, Disk
from clients_register.handlers.store.enrolment import Enrolment
from clients_register.handlers.store.newcomers import newcomers
from clients_register.handlers.store.opening import opened
from clients_register.handlers.store.state import State
from clients_register.handlers.store.turns import Turns

P = ParamSpec("P")
T = TypeVar("T")


def whole(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Lets a method finish though its caller was cancelled, so that it is alone to its end."""

    @wraps(method)
    async def shielded(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.shield(asyncio.create_task(method(*args, **kwargs)))

    return shielded


@contextmanager
def uncollected() -> Iterator[None]:
    """Keeps the collector of garbage out of what makes millions of objects, and no garbage.

    It would look through them again and again, and double the time that opening takes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class TinyDBStore:
    """See `Store`. Reads come from memory, where nothing ever is that is not durable.

    A write is checked and put in line at once; memory changes when it has come to the disk, in the
    order of the line, and then its caller is told. What may contradict a write on its way waits for
    its outcome: an enrolment for one of the same address, and a removal or a seed for everything.
    """

    def __init__(
        self, path: Path, *, public_allowed: bool, locked: bool = True, disk: Disk = LOCAL
    ) -> None:
        """Opens `path`, or starts an empty store that is written there.

        Raises StoreError, and leaves the file as it is, where it is damaged, of another program,
        in use by another process, or holds public secrets that are not `public_allowed`. Without
        `locked` the caller sees to it that no other process uses it.
        """
        with uncollected():
            self._file, contents = opened(path, disk, public_allowed=public_allowed, locked=locked)
            self._state = State(contents)
        self._commits = GroupCommit(self._file.append, self._compact)
        self._turns = Turns(self._commits.idle)
        self._last_id = self._state.last_id()
        self._last_mail = self._state.last_mail()

    async def user(self, user_id: int) -> User | None:
        """See `Store.user`."""
        return self._state.user(user_id)

    async def user_by_email(self, email_key: str) -> User | None:
        """See `Store.user_by_email`."""
        return self._state.user_by_email(email_key)

    @asynccontextmanager
    async def enrol(
        self, registration: Registration, user: User | None
    ) -> AsyncIterator[Enrolment]:
        """See `Store.enrol`."""
        await self._turns.of(registration.email_key)
        member = self._member(registration, user)
        with ExitStack() as reservation:
            reservation.callback(self._turns.reserve(registration.email_key))

            async def commit(sessions: Sequence[Session], mails: Sequence[Mail]) -> None:
                change = Change(
                    users={member.id: member},
                    sessions={session.digest: session for session in sessions},
                    mails={self._next_mail(): mail for mail in mails},
                )
                await self._commit(change, reservation)

            enrolment = Enrolment(member, self, commit)
            yield enrolment
            await enrolment.settle()

    @whole
    async def remove_client(self, user: User, before: User | None) -> None:
        """See `Store.remove_client`."""
        async with self._turns.alone():
            if self._state.user(user.id) != user:
                return
            if before is not None:
                await self._commit(Change(users={before.id: before}))
                return
            ended = self._state.digests_of(user.id)
            await self._commit(Change(users={user.id: None}, sessions=dict.fromkeys(ended)))

    async def session(self, digest: str) -> Session | None:
        """See `Store.session`."""
        return self._state.contents.sessions.get(digest)

    async def put_session(self, session: Session) -> None:
        """See `Store.put_session`."""
        await self._turns.shared()
        if self._state.user(session.user_id) is None:
            raise LookupError(f"a session of user {session.user_id}, who is not there")
        await self._commit(Change(sessions={session.digest: session}))

    async def add_mail(self, mail: Mail) -> None:
        """See `Store.add_mail`."""
        await self._turns.shared()
        await self._commit(Change(mails={self._next_mail(): mail}))

    async def mails(self) -> Sequence[Mail]:
        """See `Store.mails`."""
        return self._state.mails()

    async def users(self) -> Sequence[User]:
        """See `Store.users`."""
        return tuple(sorted(self._state.contents.users.values(), key=lambda user: user.id))

    async def sessions(self) -> Sequence[Session]:
        """See `Store.sessions`."""
        found = self._state.contents.sessions.values()
        return tuple(sorted(found, key=lambda session: session.order))

    @whole
    async def remove(
        self, users: Iterable[int] = (), sessions: Iterable[str] = (), *, mails: bool = False
    ) -> None:
        """See `Store.remove`."""
        async with self._turns.alone():
            leaving = {number for number in users if self._state.user(number)}
            there = self._state.contents.sessions
            ended = {digest for digest in sessions if digest in there}
            ended.update(*map(self._state.digests_of, leaving))
            await self._commit(
                Change(
                    users=dict.fromkeys(leaving),
                    sessions=dict.fromkeys(ended),
                    mails=dict.fromkeys(self._state.contents.mails if mails else ()),
                )
            )
            # A store that is as at the start gives out the same ids once more.
            self._last_id = self._state.last_id()
            self._last_mail = self._state.last_mail()

    @whole
    async def seed(
        self, users: Iterable[User], sessions: Iterable[Session], *, public: bool
    ) -> None:
        """See `Store.seed`."""
        async with self._turns.alone():
            there = self._state.contents
            new = newcomers(users, there.users, self._file.path)
            put = list(sessions)
            if nobody := {each.user_id for each in put} - {*there.users, *(u.id for u in new)}:
                raise LookupError(f"sessions of users {sorted(nobody)}, who are not there")
            await self._commit(
                Change(
                    public=True if public and not there.public else None,
                    users={user.id: user for user in new},
                    sessions={session.digest: session for session in put},
                )
            )
            # Nobody is given an id that a seed has used.
            numbers = (n for each in new for n in (each.id, each.client.id if each.client else 0))
            self._last_id = max(self._last_id, *numbers, 0)

    async def count_clients(self) -> int:
        """See `Store.count_clients`."""
        return self._state.clients

    @whole
    async def close(self) -> None:
        """See `Store.close`. The data file alone holds everything afterwards."""
        async with self._turns.alone():
            await asyncio.to_thread(self._file.close, self._state.contents)

    def _member(self, registration: Registration, user: User | None) -> User:
        """Who `user` is with the client. Raises EmailTaken, LookupError."""
        owner = self._state.user_by_email(registration.email_key)
        if owner is None and user is not None:
            raise LookupError(f"user {user.id} is not there any more")
        if owner is not None and (user is None or owner.id != user.id or owner.client):
            raise EmailTaken
        if owner is not None:
            return replace(owner, client=registration.client(self._next_id()))
        return User(
            id=self._next_id(),
            email=registration.email,
            email_key=registration.email_key,
            password_hash=registration.password_hash,
            client=registration.client(self._next_id()),
        )

    def _next_id(self) -> int:
        # One sequence for users and clients, so that the two numbers of a person never coincide.
        self._last_id += 1
        return self._last_id

    def _next_mail(self) -> int:
        self._last_mail += 1
        return self._last_mail

    async def _commit(self, change: Change, reservation: ExitStack | None = None) -> None:
        """Makes `change` durable, then visible; where that raises OSError, neither.

        The `reservation` is the write's, which ends it, even if the caller waits no more.
        """
        if not change:
            return
        content = changes.written(change)
        over = None if reservation is None else reservation.pop_all().close
        await self._commits.submit(content, lambda: self._state.apply(change), over)

    def _compact(self) -> None:
        """Called between writes: memory is what the journals make of the snapshot."""
        if not self._file.is_large:
            return
        self._file.begin_compaction()
        asyncio.get_running_loop().run_in_executor(
            None,
            self._file.compact_in_background,
            self._state.contents.copied(),
            self._file.journal.generation,
        )
