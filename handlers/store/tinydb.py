"""The default store: a TinyDB file with a journal next to it, for one process."""

import asyncio
import gc
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from typing_extensions import override

from clients_register.handlers.models import Mail, Registration, Session, User
from clients_register.handlers.store.base import (
    EmailTaken,
    PendingRegistration,
    Store,
    ids_of,
    users_to_add,
)
from clients_register.handlers.store.codec import Change, encode_change
from clients_register.handlers.store.contents import IndexedContents
from clients_register.handlers.store.disk import LOCAL, Disk
from clients_register.handlers.store.group_commit import GroupCommit
from clients_register.handlers.store.recovery import open_data_file

P = ParamSpec("P")
T = TypeVar("T")


def shielded(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Lets a method run to its end, with the locks it holds, even if its caller is cancelled."""

    @wraps(method)
    async def run_shielded(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.shield(asyncio.create_task(method(*args, **kwargs)))

    return run_shielded


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pauses garbage collection while millions of objects are created, none of them garbage.

    Collections would double the time to open a large file.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class WriteLocks:
    """Write locks: writes run concurrently unless they conflict.

    A registration locks its e-mail address; removals and seeds lock everything. No other task runs
    between the end of a wait and the next `await` of the caller, so what the caller reads from
    memory in between still holds when it begins a write.
    """

    def __init__(self, wait_for_writes: Callable[[], Awaitable[None]]) -> None:
        """`wait_for_writes` returns once no write is pending."""
        self._wait_for_writes = wait_for_writes
        self._locked_emails: dict[str, asyncio.Event] = {}
        self._exclusive = asyncio.Lock()
        self._exclusive_ended: asyncio.Event | None = None

    async def wait(self) -> None:
        """Waits until no exclusive lock is held."""
        while self._exclusive_ended is not None:
            await self._exclusive_ended.wait()

    async def wait_for_email(self, email_key: str) -> None:
        """Waits until neither an exclusive lock nor one of the address is held."""
        await self.wait()
        while (released := self._locked_emails.get(email_key)) is not None:
            await released.wait()
            await self.wait()

    def lock_email(self, email_key: str) -> Callable[[], None]:
        """Locks the address; returns a function that releases it, to be called once."""
        released = self._locked_emails[email_key] = asyncio.Event()

        def release() -> None:
            del self._locked_emails[email_key]
            released.set()

        return release

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Waits for all locks and writes; no other write begins until the context ends."""
        async with self._exclusive:
            ended = self._exclusive_ended = asyncio.Event()
            try:
                for released in [*self._locked_emails.values()]:
                    await released.wait()
                await self._wait_for_writes()
                yield
            finally:
                self._exclusive_ended = None
                ended.set()


class TinyDBStore(Store):
    """Reads from memory, which only contains durable data.

    A write is checked and queued immediately; once it is on the disk, memory changes, in the order
    of the queue, and then the caller resumes. `WriteLocks` keep conflicting writes apart.
    """

    def __init__(
        self, path: Path, *, public_allowed: bool, locked: bool = True, disk: Disk = LOCAL
    ) -> None:
        """Opens `path`, or creates an empty store there.

        Raises StoreError, and leaves the file unchanged, if it is damaged, of another program, in
        use, or public without `public_allowed`. Without `locked` the caller has to make sure that
        no other process uses the file.
        """
        with gc_paused():
            self._file, contents = open_data_file(
                path, disk, public_allowed=public_allowed, locked=locked
            )
            self._records = IndexedContents(contents)
        self._commits = GroupCommit(self._file.append, self._compact)
        self._locks = WriteLocks(self._commits.idle)
        self._last_id = self._records.last_id()
        self._last_mail_number = self._records.last_mail_number()

    @override
    async def user(self, user_id: int) -> User | None:
        return self._records.user(user_id)

    @override
    async def user_by_email(self, email_key: str) -> User | None:
        return self._records.user_by_email(email_key)

    @override
    @asynccontextmanager
    async def begin_registration(
        self, registration: Registration, existing_user: User | None
    ) -> AsyncIterator[PendingRegistration]:
        await self._locks.wait_for_email(registration.email_key)
        user = self._build_user(registration, existing_user)
        with ExitStack() as lock:
            lock.callback(self._locks.lock_email(registration.email_key))

            async def commit(sessions: Sequence[Session], mails: Sequence[Mail]) -> None:
                change = Change(
                    users={user.id: user},
                    sessions={session.digest: session for session in sessions},
                    mails={self._next_mail_number(): mail for mail in mails},
                )
                await self._commit(change, lock)

            yield PendingRegistration(user, self, commit)

    @override
    @shielded
    async def remove_client(self, user: User, before: User | None) -> None:
        async with self._locks.exclusive():
            if self._records.user(user.id) != user:
                return
            if before is not None:
                await self._commit(Change(users={before.id: before}))
                return
            ended = self._records.digests_of_user(user.id)
            await self._commit(Change(users={user.id: None}, sessions=dict.fromkeys(ended)))

    @override
    async def session(self, digest: str) -> Session | None:
        return self._records.contents.sessions.get(digest)

    @override
    async def put_session(self, session: Session) -> None:
        await self._locks.wait()
        if self._records.user(session.user_id) is None:
            raise LookupError(f"a session of user {session.user_id}, who does not exist")
        await self._commit(Change(sessions={session.digest: session}))

    @override
    async def add_mail(self, mail: Mail) -> None:
        await self._locks.wait()
        await self._commit(Change(mails={self._next_mail_number(): mail}))

    @override
    async def mails(self) -> Sequence[Mail]:
        return self._records.mails()

    @override
    async def users(self) -> Sequence[User]:
        return tuple(sorted(self._records.contents.users.values(), key=lambda user: user.id))

    @override
    async def sessions(self) -> Sequence[Session]:
        found = self._records.contents.sessions.values()
        return tuple(sorted(found, key=lambda session: session.sort_key))

    @override
    @shielded
    async def remove(
        self, users: Iterable[int] = (), sessions: Iterable[str] = (), *, mails: bool = False
    ) -> None:
        async with self._locks.exclusive():
            removed = {number for number in users if self._records.user(number)}
            stored = self._records.contents.sessions
            ended = {digest for digest in sessions if digest in stored}
            ended.update(*map(self._records.digests_of_user, removed))
            await self._commit(
                Change(
                    users=dict.fromkeys(removed),
                    sessions=dict.fromkeys(ended),
                    mails=dict.fromkeys(self._records.contents.mails if mails else ()),
                )
            )
            # After a reset, ids are assigned as at the start.
            self._last_id = self._records.last_id()
            self._last_mail_number = self._records.last_mail_number()

    @override
    @shielded
    async def seed(
        self, users: Iterable[User], sessions: Iterable[Session], *, public: bool
    ) -> None:
        async with self._locks.exclusive():
            stored = self._records.contents
            new = users_to_add(users, stored.users, self._file.path)
            seeded = list(sessions)
            known = {*stored.users, *(user.id for user in new)}
            if unknown := {session.user_id for session in seeded} - known:
                raise LookupError(f"sessions of users {sorted(unknown)}, who do not exist")
            await self._commit(
                Change(
                    public=True if public and not stored.public else None,
                    users={user.id: user for user in new},
                    sessions={session.digest: session for session in seeded},
                )
            )
            # Ids used by a seed are not assigned again.
            self._last_id = max(self._last_id, *(n for user in new for n in ids_of(user)), 0)

    @override
    async def count_clients(self) -> int:
        return self._records.client_count

    @override
    @shielded
    async def close(self) -> None:
        # Compacts, so that the data file alone contains everything.
        async with self._locks.exclusive():
            await asyncio.to_thread(self._file.close, self._records.contents)

    def _build_user(self, registration: Registration, existing_user: User | None) -> User:
        """Returns the user with their new client. Raises EmailTaken, LookupError."""
        owner = self._records.user_by_email(registration.email_key)
        if owner is None and existing_user is not None:
            raise LookupError(f"user {existing_user.id} does not exist any more")
        if owner is not None:
            if existing_user is None or owner.id != existing_user.id or owner.client:
                raise EmailTaken
            return replace(owner, client=registration.to_client(self._next_id()))
        return User(
            id=self._next_id(),
            email=registration.email,
            email_key=registration.email_key,
            password_hash=registration.password_hash,
            client=registration.to_client(self._next_id()),
        )

    def _next_id(self) -> int:
        # One sequence for users and clients, so that a person's two ids always differ.
        self._last_id += 1
        return self._last_id

    def _next_mail_number(self) -> int:
        self._last_mail_number += 1
        return self._last_mail_number

    async def _commit(self, change: Change, lock: ExitStack | None = None) -> None:
        """Makes `change` durable, then visible; neither if it raises OSError.

        `lock` is released when the write ends, even if the caller was cancelled.
        """
        if not change:
            return
        content = encode_change(change)
        release = None if lock is None else lock.pop_all().close
        await self._commits.submit(content, lambda: self._records.apply(change), release)

    def _compact(self) -> None:
        """Starts a compaction if due. Called between writes, when memory equals the files."""
        if not self._file.is_large:
            return
        self._file.begin_compaction()
        asyncio.get_running_loop().run_in_executor(
            None,
            self._file.compact_in_background,
            self._records.contents.copy(),
            self._file.journal.generation,
        )
