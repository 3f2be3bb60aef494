"""The store in a PostgreSQL database, for any number of servers."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Self

from psycopg.errors import ForeignKeyViolation, UniqueViolation

from clients_register.handlers.records import Mail, Registration, Session, User
from clients_register.handlers.store import EmailTaken
from clients_register.handlers.store.enrolment import Enrolment
from clients_register.handlers.store.newcomers import newcomers, numbers_of
from clients_register.handlers.store.postgres.connections import Connection, Connections
from clients_register.handlers.store.postgres.database import Database
from clients_register.handlers.store.postgres.rows import (
    mail_row,
    records,
    session_row,
    user_row,
)
from clients_register.handlers.store.postgres.statements import (
    ADD_MAIL,
    ALL_MAILS,
    ALL_SESSIONS,
    ALL_USERS,
    COUNT_CLIENTS,
    DELETE_MAILS,
    DELETE_SESSIONS,
    DELETE_USERS,
    FORGET_IDS,
    INSERT_USER,
    MET,
    OWNER,
    PUT_SESSION,
    RESERVE_IDS,
    SESSION,
    SKIP_IDS,
    UPDATE_USER,
    USER,
)
from clients_register.handlers.store.state import LAST_SEEDED_ID


class PostgresStore:
    """See `Store`. Transactions that change users lock one row, so they run one at a time.

    Only reference servers use it, which store no public secrets: `seed` does not note them.
    """

    def __init__(self, connections: Connections) -> None:
        """Closing the store closes the connections."""
        self._connections = connections

    @classmethod
    async def opened(cls, database: Database) -> Self:
        """The store in `database`, whose tables are created if there are none.

        Raises StoreError if the database cannot be reached or holds something else.
        """
        return cls(await Connections.opened(database))

    async def user(self, user_id: int) -> User | None:
        """See `Store.user`."""
        async with self._connections.connection() as connection:
            return await self._user(connection, user_id)

    async def user_by_email(self, email_key: str) -> User | None:
        """See `Store.user_by_email`."""
        async with self._connections.connection() as connection:
            return await self._owner(connection, email_key)

    @asynccontextmanager
    async def enrol(
        self, registration: Registration, user: User | None
    ) -> AsyncIterator[Enrolment]:
        """See `Store.enrol`. Until it is settled it is a transaction on a connection of its own."""
        async with AsyncExitStack() as transaction:
            connection = await transaction.enter_async_context(self._connections.transaction())
            member = await self._insert_client(connection, registration, user)

            async def commit(sessions: Sequence[Session], mails: Sequence[Mail]) -> None:
                for session in sessions:
                    await connection.execute(PUT_SESSION, session_row(session))
                for mail in mails:
                    await connection.execute(ADD_MAIL, mail_row(mail))
                await transaction.aclose()

            enrolment = Enrolment(member, self, commit)
            yield enrolment
            await enrolment.settle()

    async def remove_client(self, user: User, before: User | None) -> None:
        """See `Store.remove_client`."""
        async with self._connections.transaction() as connection:
            await self._lock(connection)
            if await self._user(connection, user.id) != user:
                return
            if before is not None:
                await connection.execute(UPDATE_USER, user_row(before))
                return
            await connection.execute(DELETE_USERS, [[user.id]])

    async def session(self, digest: str) -> Session | None:
        """See `Store.session`."""
        async with self._connections.connection() as connection:
            found = await records(connection, Session, SESSION, [digest])
        return next(iter(found), None)

    async def put_session(self, session: Session) -> None:
        """See `Store.put_session`."""
        async with self._connections.connection() as connection:
            try:
                await connection.execute(PUT_SESSION, session_row(session))
            except ForeignKeyViolation:
                raise LookupError(
                    f"a session of user {session.user_id}, who is not there"
                ) from None

    async def add_mail(self, mail: Mail) -> None:
        """See `Store.add_mail`."""
        async with self._connections.connection() as connection:
            await connection.execute(ADD_MAIL, mail_row(mail))

    async def mails(self) -> Sequence[Mail]:
        """See `Store.mails`."""
        async with self._connections.connection() as connection:
            return await records(connection, Mail, ALL_MAILS)

    async def users(self) -> Sequence[User]:
        """See `Store.users`."""
        async with self._connections.connection() as connection:
            return await records(connection, User, ALL_USERS)

    async def sessions(self) -> Sequence[Session]:
        """See `Store.sessions`."""
        async with self._connections.connection() as connection:
            found = await records(connection, Session, ALL_SESSIONS)
        return tuple(sorted(found, key=lambda session: session.order))

    async def remove(
        self, users: Iterable[int] = (), sessions: Iterable[str] = (), *, mails: bool = False
    ) -> None:
        """See `Store.remove`."""
        async with self._connections.transaction() as connection:
            await self._lock(connection)
            await connection.execute(DELETE_USERS, [list(users)])
            await connection.execute(DELETE_SESSIONS, [list(sessions)])
            if mails:
                await connection.execute(DELETE_MAILS)
            await connection.execute(FORGET_IDS, [LAST_SEEDED_ID])

    async def seed(
        self,
        users: Iterable[User],
        sessions: Iterable[Session],
        *,
        public: bool,  # noqa: ARG002 - see the class
    ) -> None:
        """See `Store.seed`."""
        seeded, put = list(users), list(sessions)
        numbers = [number for each in seeded for number in numbers_of(each)]
        async with self._connections.transaction() as connection:
            await self._lock(connection)
            keys = [each.email_key for each in seeded]
            met = await records(connection, User, MET, [numbers, numbers, keys])
            new = newcomers(seeded, {each.id: each for each in met}, self._connections.database)
            used = [number for each in new for number in numbers_of(each)]
            async with connection.cursor() as cursor:
                await cursor.executemany(INSERT_USER, [user_row(u) for u in new])
                try:
                    await cursor.executemany(PUT_SESSION, [session_row(s) for s in put])
                except ForeignKeyViolation:
                    raise LookupError("sessions of users who are not there") from None
            # Ids that a seed has used are not given out.
            await connection.execute(SKIP_IDS, [max(used, default=0)])

    async def count_clients(self) -> int:
        """See `Store.count_clients`."""
        async with self._connections.connection() as connection:
            found = await connection.execute(COUNT_CLIENTS)
            return sum([count async for (count,) in found])

    async def close(self) -> None:
        """See `Store.close`."""
        await self._connections.close()

    async def _insert_client(
        self, connection: Connection, registration: Registration, user: User | None
    ) -> User:
        """See `Store.enrol`. Whether an address is free, its unique index decides."""
        client_id = await self._lock(connection, new_ids=2 if user is None else 1)
        owner = None if user is None else await self._owner(connection, registration.email_key)
        if owner is None:
            if user is not None:
                raise LookupError(f"user {user.id} is not there any more")
            key, password_hash = registration.email_key, registration.password_hash
            owner = User(client_id - 1, registration.email, key, password_hash)
        elif user is None or owner.id != user.id or owner.client:
            raise EmailTaken
        member = replace(owner, client=registration.client(client_id))
        try:
            await connection.execute(INSERT_USER if user is None else UPDATE_USER, user_row(member))
        except UniqueViolation as error:
            if error.diag.constraint_name != "users_email_key":
                raise
            raise EmailTaken from None
        return member

    async def _user(self, connection: Connection, user_id: int) -> User | None:
        found = await records(connection, User, USER, [user_id])
        return next(iter(found), None)

    async def _owner(self, connection: Connection, email_key: str) -> User | None:
        found = await records(connection, User, OWNER, [email_key])
        return next(iter(found), None)

    async def _lock(self, connection: Connection, new_ids: int = 0) -> int:
        """Locks users for this transaction, reserves `new_ids` ids, and returns the last of them.

        One sequence for users and clients, so that the two numbers of a person never coincide.
        """
        found = await connection.execute(RESERVE_IDS, [new_ids])
        return sum([last_id async for (last_id,) in found])
