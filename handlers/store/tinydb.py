"""The default store: TinyDB on one file, for one process."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from filelock import FileLock, Timeout
from tinydb import TinyDB
from tinydb.table import Document, Table

from clients_register.handlers.records import Client, Mail, Registration, Session, User
from clients_register.handlers.store import EmailTaken, StoreError
from clients_register.handlers.store.documents import (
    MISFITS,
    mail_document,
    mail_of,
    session_document,
    session_of,
    user_document,
    user_of,
)
from clients_register.handlers.store.file import WholeFileStorage

P = ParamSpec("P")
T = TypeVar("T")

FORMAT = "clients-register"
VERSION = 1

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

    def __init__(self, path: Path, *, public_allowed: bool) -> None:
        """Opens `path`, or starts an empty store that is written there.

        Raises StoreError, and leaves the file as it is, where it is damaged, of another program,
        in use by another process, or holds public secrets that are not `public_allowed`.
        """
        self._path = path
        self._writing = asyncio.Lock()
        self._lock = _locked(path)
        try:
            self._db = _opened(path)
            self._public = _is_public(self._db, path)
            if self._public and not public_allowed:
                raise StoreError(
                    f"the data file {path} was filled by the stub: passwords and tokens in it are"
                    " known to anybody; name another file with --data, or leave --reference out"
                )
            self._users, self._sessions, self._mails = self._contents()
        except BaseException:
            self._lock.release()
            raise
        self._by_email = {user.email_key: user.id for user in self._users.values()}
        given = [LAST_SEEDED_ID, *self._users]
        given += [user.client.id for user in self._users.values() if user.client]
        self._last_id = max(given)

    def _contents(self) -> tuple[dict[int, User], dict[str, Session], list[Mail]]:
        try:
            users = [user_of(document) for document in self._table("users").all()]
            sessions = [session_of(document) for document in self._table("sessions").all()]
            mails = [mail_of(document) for document in self._table("outbox").all()]
        except MISFITS as error:
            raise _damaged(self._path, f"a record does not fit ({error!r})") from None
        return (
            {user.id: user for user in users},
            {session.digest: session for session in sessions},
            mails,
        )

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
            if owner is not None and (user is None or owner.id != user.id or owner.client):
                raise EmailTaken
            fields = asdict(registration)
            password_hash = fields.pop("password_hash")
            email_key = fields.pop("email_key")
            if owner is None:
                owner = User(self._next_id(), registration.email, email_key, password_hash)
            member = replace(owner, client=Client(id=self._next_id(), **fields))
            await self._put_user(member)
            return member

    @whole
    async def remove_client(self, user: User, before: User | None) -> None:
        """See `Store.remove_client`."""
        async with self._writing:
            if before is not None:
                await self._put_user(before)
                return
            await self._write(self._table("users").remove, doc_ids=[user.id])
            del self._users[user.id]
            del self._by_email[user.email_key]

    async def session(self, digest: str) -> Session | None:
        """See `Store.session`."""
        return self._sessions.get(digest)

    @whole
    async def put_session(self, session: Session) -> None:
        """See `Store.put_session`."""
        async with self._writing:
            number = _number(session.digest)
            await self._put("sessions", number, session_document(session))
            self._sessions[session.digest] = session

    @whole
    async def add_mail(self, mail: Mail) -> None:
        """See `Store.add_mail`."""
        async with self._writing:
            await self._write(self._table("outbox").insert, mail_document(mail))
            self._mails.append(mail)

    async def mails(self) -> Sequence[Mail]:
        """See `Store.mails`."""
        return tuple(self._mails)

    @whole
    async def seed(
        self, users: Iterable[User], sessions: Iterable[Session], *, public: bool
    ) -> None:
        """See `Store.seed`."""
        async with self._writing:
            absent = [user for user in users if not self._is_there(user)]
            if public and not self._public:
                await self._put("meta", 1, _meta(public=True))
                self._public = True
            for user in absent:
                await self._put_user(user)
        for session in sessions:
            await self.put_session(session)

    async def count_clients(self) -> int:
        """See `Store.count_clients`."""
        return sum(user.client is not None for user in self._users.values())

    async def close(self) -> None:
        """See `Store.close`."""
        async with self._writing:
            self._db.close()
            self._lock.release()

    def _is_there(self, user: User) -> bool:
        known = self._users.get(user.id)
        owner = self._by_email.get(user.email_key, user.id)
        if owner != user.id or (known is not None and known.email_key != user.email_key):
            raise StoreError(
                f"the seed's user {user.id} ({user.email}) meets another user of that id or"
                f" address in {self._path}; change the seed, or name another file with --data"
            )
        return known is not None

    def _next_id(self) -> int:
        # One sequence for users and clients, so that the two numbers of a person never coincide.
        self._last_id += 1
        return self._last_id

    async def _put_user(self, user: User) -> None:
        await self._put("users", user.id, user_document(user))
        self._users[user.id] = user
        self._by_email[user.email_key] = user.id

    async def _put(self, table: str, number: int, document: Mapping[str, Any]) -> None:
        await self._write(self._table(table).upsert, Document(document, doc_id=number))

    async def _write(self, change: Callable[..., object], *args: Any, **options: Any) -> None:
        await asyncio.to_thread(change, *args, **options)

    def _table(self, name: str) -> Table:
        return self._db.table(name, cache_size=0)


def _number(digest: str) -> int:
    """TinyDB numbers its documents; a session is found by its digest, so that gives the number."""
    return int(digest[:15], 16)


def _locked(path: Path) -> FileLock:
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StoreError(
            f"the data file {path} is in use by another server; stop that one, or name another"
            " file with --data"
        ) from None
    except OSError as error:
        raise StoreError(
            f"the data file {path} cannot be kept there: {error.strerror}; name a file in a"
            " directory that exists and can be written to with --data"
        ) from None
    return lock


def _opened(path: Path) -> TinyDB:
    try:
        return TinyDB(path, storage=WholeFileStorage)
    except OSError as error:
        raise StoreError(
            f"the data file {path} cannot be read: {error.strerror}; make it readable, or name"
            " another file with --data"
        ) from None
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON ({error})") from None


def _meta(*, public: bool) -> dict[str, Any]:
    """The document that says whose file this is."""
    return {"format": FORMAT, "version": VERSION, "public": public}


def _is_public(db: TinyDB, path: Path) -> bool:
    """Whether the file holds public secrets; a new one is written and does not."""
    if db.storage.read() is None:
        try:
            db.table("meta").insert(Document(_meta(public=False), doc_id=1))
        except OSError as error:
            raise StoreError(
                f"the data file {path} cannot be written: {error.strerror}; name a file in a"
                " directory that can be written to with --data"
            ) from None
    try:
        meta = db.table("meta").get(doc_id=1)
    except MISFITS:
        meta = None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise StoreError(
            f"the data file {path} belongs to another program: expected a store of"
            f" {FORMAT}; it is left as it is; name another file with --data"
        )
    if meta.get("version") != VERSION:
        raise StoreError(
            f"the data file {path} has version {meta.get('version')!r}, expected {VERSION};"
            " it is left as it is; use the program that wrote it, or name another file with --data"
        )
    return bool(meta.get("public"))


def _damaged(path: Path, found: str) -> StoreError:
    return StoreError(
        f"the data file {path} is damaged: {found}; it is left as it is; restore a copy of it, or"
        " name another file with --data"
    )
