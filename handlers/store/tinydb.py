"""The default store: a TinyDB file with a journal next to it, for one process."""

import asyncio
import re
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, asynccontextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import msgspec
from msgspec.structs import replace
from typing_extensions import override

from clients_register.handlers.models import (
    Mail,
    Registration,
    Session,
    User,
    check_document,
    encode_record,
)
from clients_register.handlers.store.base import (
    LAST_SEEDED_ID,
    EmailTaken,
    PendingRegistration,
    Store,
    StoreError,
    StoreUnavailable,
    ids_of,
    users_to_add,
)
from clients_register.handlers.store.journaled.database import JournaledTinyDB, Transaction
from clients_register.handlers.store.journaled.disk import LOCAL, Disk, StorageError, remedy
from clients_register.handlers.store.journaled.journal import Documents, FileReplaced
from clients_register.handlers.store.journaled.storage import FileFormat
from clients_register.handlers.store.write_locks import WriteLocks

FORMAT = "clients-register"
VERSION = 3
ANOTHER = "name another file with --data"

# The table META has a single document, with this id: format and version of the file, and whether
# it is `public`, which means that its passwords and tokens are published.
META = "meta"
HEAD = 1

# The tables of a new file.
INITIAL = {
    META: {HEAD: msgspec.json.encode({"format": FORMAT, "version": VERSION, "public": False})}
}

# The number of hex digits of its digest that make up the id of a session's document.
DIGITS = 15

_SHA_256 = re.compile(r"[0-9a-f]{64}")


class Contents(NamedTuple):
    """The documents of a store by id, as JSON; `public` says whether they are published."""

    users: Mapping[int, bytes]
    sessions: Mapping[int, bytes]
    outbox: Mapping[int, bytes]
    public: bool


P = ParamSpec("P")
T = TypeVar("T")


def shielded(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Lets a method run to its end, with the locks it holds, even if its caller is cancelled."""

    @wraps(method)
    async def run_shielded(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.shield(asyncio.create_task(method(*args, **kwargs)))

    return run_shielded


class TinyDBStore(Store):
    """Reads documents that are durable, and writes each change in a transaction.

    A change is checked and submitted immediately; once it is on the disk it becomes visible, in the
    order of the queue, and then the caller resumes. `WriteLocks` keep conflicting writes apart.
    """

    def __init__(
        self,
        path: Path,
        *,
        public_allowed: bool,
        locked: bool = True,
        fresh: bool = False,
        disk: Disk = LOCAL,
    ) -> None:
        """Opens `path`, or creates an empty store there.

        Raises StoreError, and leaves the file unchanged, if it is damaged, of another program, in
        use, or public without `public_allowed`. Otherwise, with `fresh`, the file is emptied.
        Without `locked` the caller has to make sure that no other process uses the file.
        """

        def check(tables: Mapping[str, Documents]) -> None:
            if check_tables(tables) and not public_allowed:
                raise StoreError(
                    f"the data file {path} was created by the stub: its passwords and tokens are"
                    f" published; {ANOTHER}, or leave out --reference"
                )

        try:
            self._database = JournaledTinyDB(
                path,
                file_format=FileFormat(INITIAL, partial(check_format, path=path), check),
                locked=locked,
                fresh=fresh,
                disk=disk,
            )
        except StorageError as error:
            raise StoreError(f"{error}, or {ANOTHER}") from None
        self._users = self._database.table("users", indexed=("email_key", "client.id"))
        self._sessions = self._database.table("sessions", indexed=("user_id",))
        self._outbox = self._database.table("outbox")
        self._meta = self._database.table(META)
        self._locks = WriteLocks(self._database.idle)
        # The last ones assigned.
        self._last_id = self._last_mail_number = 0
        self._reset_ids()

    @override
    async def user(self, user_id: int) -> User | None:
        return self._user(user_id)

    @override
    async def user_by_email(self, email_key: str) -> User | None:
        return self._owner(email_key)

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
                with self._database.transaction() as transaction:
                    self._put_user(user)
                    for session in sessions:
                        self._put_session(session)
                    for mail in mails:
                        self._add_mail(mail)
                # The lock is released when the write ends, even if the caller was cancelled.
                await self._commit(transaction, lock.pop_all().close)

            yield PendingRegistration(user, self, commit)

    @override
    @shielded
    async def remove_client(self, user: User, before: User | None) -> None:
        async with self._locks.exclusive():
            if self._user(user.id) != user:
                return
            with self._database.transaction() as transaction:
                if before is not None:
                    self._put_user(before)
                else:
                    self._remove_users([user.id])
            await self._commit(transaction)

    @override
    async def session(self, digest: str) -> Session | None:
        if not _SHA_256.fullmatch(digest):
            return None
        session = self._sessions.load(document_id(digest), Session)
        return session if session is not None and session.digest == digest else None

    @override
    async def put_session(self, session: Session) -> None:
        await self._locks.wait()
        if not self._users.contains(doc_id=session.user_id):
            raise LookupError(f"a session of user {session.user_id}, who does not exist")
        with self._database.transaction() as transaction:
            self._put_session(session)
        await self._commit(transaction)

    @override
    async def add_mail(self, mail: Mail) -> None:
        await self._locks.wait()
        with self._database.transaction() as transaction:
            self._add_mail(mail)
        await self._commit(transaction)

    @override
    async def mails(self) -> Sequence[Mail]:
        return tuple(self._outbox.load_all(Mail))

    @override
    async def users(self) -> Sequence[User]:
        return tuple(self._users.load_all(User))

    @override
    async def sessions(self) -> Sequence[Session]:
        sessions = self._sessions.load_all(Session)
        return tuple(sorted(sessions, key=lambda session: session.sort_key))

    @override
    @shielded
    async def remove(
        self, users: Iterable[int] = (), sessions: Iterable[str] = (), *, mails: bool = False
    ) -> None:
        async with self._locks.exclusive():
            ended = {digest for digest in sessions if await self.session(digest)}
            with self._database.transaction() as transaction:
                self._sessions.remove(doc_ids=map(document_id, ended))
                self._remove_users(users)
                if mails:
                    self._outbox.truncate()
            await self._commit(transaction)
            # After a reset, ids are assigned as at the start.
            self._reset_ids()

    @override
    @shielded
    async def seed(
        self, users: Iterable[User], sessions: Iterable[Session], *, public: bool
    ) -> None:
        async with self._locks.exclusive():
            seeded = list(users)
            new = users_to_add(seeded, self._find_conflicts(seeded), self._database.storage.path)
            with self._database.transaction() as transaction:
                for user in new:
                    self._put_user(user)
                for session in sessions:
                    if not self._users.contains(doc_id=session.user_id):
                        raise LookupError(f"a session of user {session.user_id}, who is unknown")
                    self._put_session(session)
                if public:
                    self._meta.update({"public": True}, doc_ids=[HEAD])
            await self._commit(transaction)
            # Ids used by a seed are not assigned again.
            self._last_id = max(self._last_id, *(n for user in new for n in ids_of(user)), 0)

    def count_records(self) -> dict[str, int]:
        """Returns the numbers of clients, sessions and mails."""
        return {
            "clients": len(self._users.values("client.id")),
            "sessions": len(self._sessions.ids()),
            "mails": len(self._outbox.ids()),
        }

    def dump(self) -> Contents:
        """Returns everything that is stored, as of one moment."""
        tables = self._users.dump(), self._sessions.dump(), self._outbox.dump()
        return Contents(*tables, public=self._is_public())

    @shielded
    async def restore(self, contents: Contents) -> None:
        """Replaces everything that is stored."""
        async with self._locks.exclusive():
            with self._database.transaction() as transaction:
                self._users.restore(contents.users)
                self._sessions.restore(contents.sessions)
                self._outbox.restore(contents.outbox)
                if contents.public and not self._is_public():
                    self._meta.update({"public": True}, doc_ids=[HEAD])
            await self._commit(transaction)
            self._reset_ids()

    @override
    async def check_available(self) -> None:
        storage = self._database.storage
        try:
            storage.check_data_file()
        except OSError as error:
            raise StoreUnavailable(
                f"the data file {storage.path} cannot be used: {error.strerror or error}"
            ) from None

    @override
    async def count_clients(self) -> int:
        return self.count_records()["clients"]

    @override
    @shielded
    async def close(self, *, compact: bool = True) -> None:
        """Closes the file; with `compact`, the data file alone then contains everything."""
        async with self._locks.exclusive():
            await asyncio.to_thread(partial(self._database.close, compact=compact))

    def release_files(self) -> None:
        """Closes files until the next write; without a lock, the store then has none open."""
        if not self._database.is_busy:
            self._database.storage.release_files()

    async def _commit(
        self, transaction: Transaction, on_end: Callable[[], None] | None = None
    ) -> None:
        """Commits; see `Transaction.commit`. Raises StoreUnavailable if that fails."""
        try:
            await transaction.commit(on_end)
        except FileReplaced as error:
            raise StoreUnavailable(error.strerror) from None
        except OSError as error:
            hint = remedy(error, "make room for it, or correct its permissions")
            raise StoreUnavailable(
                f"the data file {self._database.storage.path} cannot be written:"
                f" {error.strerror or error}; the change was not stored; {hint}"
            ) from None

    def _user(self, user_id: int) -> User | None:
        return self._users.load(user_id, User)

    def _owner(self, email_key: str) -> User | None:
        for user_id in self._users.find("email_key", email_key):
            return self._user(user_id)
        return None

    def _find_conflicts(self, seeded: Iterable[User]) -> dict[int, User]:
        """Returns the stored users that have an id or an address of those `seeded`, by id."""
        found = set[int]()
        for user in seeded:
            found.update(self._users.find("email_key", user.email_key), ids_of(user))
            for number in ids_of(user):
                found.update(self._users.find("client.id", number))
        stored = map(self._user, found)
        return {each.id: each for each in stored if each is not None}

    def _put_user(self, user: User) -> None:
        self._users.put(user.id, encode_record(user))

    def _put_session(self, session: Session) -> None:
        self._sessions.put(document_id(session.digest), encode_record(session))

    def _add_mail(self, mail: Mail) -> None:
        # TinyDB would look for the next id in the whole table.
        self._last_mail_number += 1
        self._outbox.put(self._last_mail_number, encode_record(mail))

    def _remove_users(self, user_ids: Iterable[int]) -> None:
        """Removes users, and their sessions."""
        for user_id in self._users.remove(doc_ids=set(user_ids)):
            self._sessions.remove(doc_ids=self._sessions.find("user_id", user_id))

    def _build_user(self, registration: Registration, existing_user: User | None) -> User:
        """Returns the user with their new client. Raises EmailTaken, LookupError."""
        owner = self._owner(registration.email_key)
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

    def _is_public(self) -> bool:
        head = self._meta.get(doc_id=HEAD)
        return bool(head and head["public"])

    def _reset_ids(self) -> None:
        """Assigns ids after the highest one in use, or the last one reserved for seeds."""
        users, clients = self._users.ids(), self._users.values("client.id")
        self._last_id = max(LAST_SEEDED_ID, max(users, default=0), max(clients, default=0))
        self._last_mail_number = max(self._outbox.ids(), default=0)


def document_id(digest: str) -> int:
    """Returns the id of the document of a session."""
    return int(digest[:DIGITS], 16)


def check_format(tables: Mapping[str, Documents], path: Path) -> None:
    """Raises StoreError if `tables` are not those of a store of this version."""
    head = _decode_head(tables)
    if head.get("format") != FORMAT:
        raise StoreError(
            f"the data file {path} belongs to another program: expected a store of {FORMAT}; it is"
            f" left unchanged; {ANOTHER}"
        )
    version = head.get("version")
    if type(version) is not int or version != VERSION:
        raise StoreError(
            f"the data file {path} has version {version!a:.20}, expected {VERSION}; it is left"
            f" unchanged; use the program that wrote it, or {ANOTHER}"
        )


def check_tables(tables: Mapping[str, Documents]) -> bool:
    """Checks the records of a store; returns whether it is public. Raises ValueError."""
    public = _decode_head(tables).get("public")
    if not isinstance(public, bool):
        raise ValueError(f"{META}.{HEAD}.public: expected a boolean, found something else")
    ids, emails = set[int](), set[str]()
    users = tables.get("users", {})
    for number, encoded in users.items():
        user = check_document(User, encoded, f"users.{number}")
        if user.id != number:
            raise ValueError(f"users.{number}.id: expected the number of the record, found another")
        for each in ids_of(user):
            if each in ids:
                raise ValueError(f"users.{number}: expected each id once, found {each} again")
            ids.add(each)
        if user.email_key in emails:
            raise ValueError(f"users.{number}: expected each email_key once, found one again")
        emails.add(user.email_key)
    for number, encoded in tables.get("sessions", {}).items():
        session = check_document(Session, encoded, f"sessions.{number}")
        if not _SHA_256.fullmatch(session.digest) or document_id(session.digest) != number:
            raise ValueError(
                f"sessions.{number}.digest: expected a SHA-256 with that number, found another"
            )
        if session.user_id not in users:
            raise ValueError(f"sessions.{number}.user_id: expected the id of a user, found another")
    for number, encoded in tables.get("outbox", {}).items():
        check_document(Mail, encoded, f"outbox.{number}")
    return public


def _decode_head(tables: Mapping[str, Documents]) -> Mapping[str, Any]:
    head: Mapping[str, Any] = msgspec.json.decode(tables.get(META, {}).get(HEAD, b"{}"))
    return head
