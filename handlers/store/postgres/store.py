"""The store in a PostgreSQL database, for any number of servers."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, LiteralString, Self

import msgspec
from msgspec.structs import replace
from psycopg import Rollback
from psycopg.errors import ForeignKeyViolation, UniqueViolation
from typing_extensions import override

from clients_register.handlers.models import (
    Mail,
    Record,
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
    ids_of,
    users_to_add,
)
from clients_register.handlers.store.postgres.address import DatabaseAddress
from clients_register.handlers.store.postgres.connections import Connection, ConnectionPool

USER = "SELECT record::text FROM clients_register.users WHERE id = %s"
OWNER = "SELECT record::text FROM clients_register.users WHERE email_key = %s"
SESSION = "SELECT record::text FROM clients_register.sessions WHERE digest = %s"
ALL_USERS = "SELECT record::text FROM clients_register.users ORDER BY id"
ALL_SESSIONS = "SELECT record::text FROM clients_register.sessions"
ALL_MAILS = "SELECT record::text FROM clients_register.mails ORDER BY number"
READ_META = "SELECT last_id FROM clients_register.meta"
COUNT_CLIENTS = "SELECT count(client_id) FROM clients_register.users"

INSERT_USER = """
    INSERT INTO clients_register.users (id, email_key, client_id, record)
    VALUES (%(id)s, %(email_key)s, %(client_id)s, %(record)s)
"""
UPDATE_USER = """
    UPDATE clients_register.users
    SET email_key = %(email_key)s, client_id = %(client_id)s, record = %(record)s
    WHERE id = %(id)s
"""
PUT_SESSION = """
    INSERT INTO clients_register.sessions (digest, user_id, record)
    VALUES (%(digest)s, %(user_id)s, %(record)s)
    ON CONFLICT (digest) DO UPDATE SET user_id = excluded.user_id, record = excluded.record
"""
ADD_MAIL = "INSERT INTO clients_register.mails (record) VALUES (%(record)s)"

DELETE_USERS = "DELETE FROM clients_register.users WHERE id = ANY(%s::bigint[])"
DELETE_SESSIONS = "DELETE FROM clients_register.sessions WHERE digest = ANY(%s::text[])"
DELETE_MAILS = "DELETE FROM clients_register.mails"

# Users with one of a seed's ids, as user or client, or one of its addresses.
FIND_CONFLICTS = """
    SELECT record::text FROM clients_register.users
    WHERE id = ANY(%s::bigint[]) OR client_id = ANY(%s::bigint[]) OR email_key = ANY(%s::text[])
"""

# Also locks the row, see `schema.py`.
RESERVE_IDS = "UPDATE clients_register.meta SET last_id = last_id + %s RETURNING last_id"

# Ids of removed users are assigned again, as in the file store.
FORGET_IDS = """
    UPDATE clients_register.meta SET last_id = greatest(%s,
        (SELECT max(greatest(id, client_id)) FROM clients_register.users))
"""

SKIP_IDS = "UPDATE clients_register.meta SET last_id = greatest(last_id, %s)"

Row = dict[str, Any]


class PostgresStore(Store):
    """Transactions that change users lock one row, so they are serialized.

    It is used only by reference servers, which have no public data, so `public` is ignored.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        """Closing the store closes the pool."""
        self._pool = pool

    @classmethod
    async def open(cls, database: DatabaseAddress) -> Self:
        """Opens the store, and creates its tables if there are none.

        Raises StoreError if the database cannot be reached or contains something else.
        """
        return cls(await ConnectionPool.open(database))

    @override
    async def user(self, user_id: int) -> User | None:
        async with self._pool.connection() as connection:
            return await self._user(connection, user_id)

    @override
    async def user_by_email(self, email_key: str) -> User | None:
        async with self._pool.connection() as connection:
            return await self._owner(connection, email_key)

    @override
    @asynccontextmanager
    async def begin_registration(
        self, registration: Registration, existing_user: User | None
    ) -> AsyncIterator[PendingRegistration]:
        # Until the commit, the registration is a transaction on its own connection.
        async with AsyncExitStack() as transaction:
            connection = await transaction.enter_async_context(self._pool.transaction())
            user = await self._insert_client(connection, registration, existing_user)

            async def commit(sessions: Sequence[Session], mails: Sequence[Mail]) -> None:
                for session in sessions:
                    await connection.execute(PUT_SESSION, session_row(session))
                for mail in mails:
                    await connection.execute(ADD_MAIL, mail_row(mail))
                await transaction.aclose()

            pending = PendingRegistration(user, self, commit)
            yield pending
            if not pending.commit_was_called:
                raise Rollback

    @override
    async def remove_client(self, user: User, before: User | None) -> None:
        async with self._pool.transaction() as connection:
            await self._lock(connection)
            if await self._user(connection, user.id) != user:
                return
            if before is not None:
                await connection.execute(UPDATE_USER, user_row(before))
                return
            await connection.execute(DELETE_USERS, [[user.id]])

    @override
    async def session(self, digest: str) -> Session | None:
        async with self._pool.connection() as connection:
            found = await fetch_records(connection, Session, SESSION, [digest])
        return next(iter(found), None)

    @override
    async def put_session(self, session: Session) -> None:
        async with self._pool.connection() as connection:
            try:
                await connection.execute(PUT_SESSION, session_row(session))
            except ForeignKeyViolation:
                raise LookupError(
                    f"a session of user {session.user_id}, who does not exist"
                ) from None

    @override
    async def add_mail(self, mail: Mail) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(ADD_MAIL, mail_row(mail))

    @override
    async def mails(self) -> Sequence[Mail]:
        async with self._pool.connection() as connection:
            return await fetch_records(connection, Mail, ALL_MAILS)

    @override
    async def users(self) -> Sequence[User]:
        async with self._pool.connection() as connection:
            return await fetch_records(connection, User, ALL_USERS)

    @override
    async def sessions(self) -> Sequence[Session]:
        async with self._pool.connection() as connection:
            found = await fetch_records(connection, Session, ALL_SESSIONS)
        return tuple(sorted(found, key=lambda session: session.sort_key))

    @override
    async def remove(
        self, users: Iterable[int] = (), sessions: Iterable[str] = (), *, mails: bool = False
    ) -> None:
        async with self._pool.transaction() as connection:
            await self._lock(connection)
            await connection.execute(DELETE_USERS, [list(users)])
            await connection.execute(DELETE_SESSIONS, [list(sessions)])
            if mails:
                await connection.execute(DELETE_MAILS)
            await connection.execute(FORGET_IDS, [LAST_SEEDED_ID])

    @override
    async def seed(
        self,
        users: Iterable[User],
        sessions: Iterable[Session],
        *,
        public: bool,
    ) -> None:
        seeded_users, seeded_sessions = list(users), list(sessions)
        numbers = [number for each in seeded_users for number in ids_of(each)]
        async with self._pool.transaction() as connection:
            await self._lock(connection)
            keys = [each.email_key for each in seeded_users]
            stored = await fetch_records(connection, User, FIND_CONFLICTS, [numbers, numbers, keys])
            new = users_to_add(
                seeded_users, {each.id: each for each in stored}, self._pool.database
            )
            used = [number for each in new for number in ids_of(each)]
            async with connection.cursor() as cursor:
                await cursor.executemany(INSERT_USER, [user_row(u) for u in new])
                try:
                    await cursor.executemany(PUT_SESSION, [session_row(s) for s in seeded_sessions])
                except ForeignKeyViolation:
                    raise LookupError("sessions of users who do not exist") from None
            # Ids used by a seed are not assigned again.
            await connection.execute(SKIP_IDS, [max(used, default=0)])

    @override
    async def check_available(self) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(READ_META)

    @override
    async def count_clients(self) -> int:
        async with self._pool.connection() as connection:
            found = await connection.execute(COUNT_CLIENTS)
            return sum([count async for (count,) in found])

    @override
    async def close(self) -> None:
        await self._pool.close()

    async def _insert_client(
        self, connection: Connection, registration: Registration, existing_user: User | None
    ) -> User:
        """Writes the client; the unique index decides whether the address is taken."""
        client_id = await self._lock(connection, new_ids=2 if existing_user is None else 1)
        if existing_user is None:
            statement = INSERT_USER
            key, password_hash = registration.email_key, registration.password_hash
            owner = User(client_id - 1, registration.email, key, password_hash)
        else:
            statement = UPDATE_USER
            found = await self._owner(connection, registration.email_key)
            if found is None:
                raise LookupError(f"user {existing_user.id} does not exist any more")
            if found.id != existing_user.id or found.client:
                raise EmailTaken
            owner = found
        user = replace(owner, client=registration.to_client(client_id))
        try:
            await connection.execute(statement, user_row(user))
        except UniqueViolation as error:
            if error.diag.constraint_name != "users_email_key":
                raise
            raise EmailTaken from None
        return user

    async def _user(self, connection: Connection, user_id: int) -> User | None:
        found = await fetch_records(connection, User, USER, [user_id])
        return next(iter(found), None)

    async def _owner(self, connection: Connection, email_key: str) -> User | None:
        found = await fetch_records(connection, User, OWNER, [email_key])
        return next(iter(found), None)

    async def _lock(self, connection: Connection, new_ids: int = 0) -> int:
        """Locks users for this transaction, reserves `new_ids` ids, and returns the last of them.

        Users and clients share one sequence, so that a person's two ids always differ.
        """
        found = await connection.execute(RESERVE_IDS, [new_ids])
        return sum([last_id async for (last_id,) in found])


def user_row(user: User) -> Row:
    """Returns the columns of `user` by name."""
    return {
        "id": user.id,
        "email_key": user.email_key,
        "client_id": user.client and user.client.id,
        "record": _encode(user),
    }


def session_row(session: Session) -> Row:
    """Returns the columns of `session` by name."""
    return {
        "digest": session.digest,
        "user_id": session.user_id,
        "record": _encode(session),
    }


def mail_row(mail: Mail) -> Row:
    """Returns the columns of `mail` by name, except the number, which the database assigns."""
    return {"record": _encode(mail)}


async def fetch_records(
    connection: Connection, kind: type[Record], query: LiteralString, params: Sequence[object] = ()
) -> tuple[Record, ...]:
    """Returns the records of type `kind` whose JSON is selected by `query`.

    Raises StoreError if one is damaged.
    """
    found = await connection.execute(query, params)
    return tuple([_decode(kind, text) async for (text,) in found])


def _encode(record: User | Session | Mail) -> str:
    return encode_record(record).decode()


def _decode(kind: type[Record], text: str) -> Record:
    try:
        check_document(kind, text.encode(), kind.__name__.lower())
        return msgspec.json.decode(text, type=kind)
    except ValueError as error:
        raise StoreError(
            f"a record in the database is damaged: {error}; restore a copy of the database"
        ) from None
