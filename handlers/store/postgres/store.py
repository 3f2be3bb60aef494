"""The store of one world in a PostgreSQL database, for any number of servers."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from psycopg.errors import CheckViolation, ForeignKeyViolation, UniqueViolation

from clients_register.handlers.records import Mail, Registration, Session, User
from clients_register.handlers.store import EmailTaken, StoreError
from clients_register.handlers.store.enrolment import Enrolment
from clients_register.handlers.store.newcomers import newcomers, numbers_of
from clients_register.handlers.store.postgres.connections import Connection, Connections
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
    FORGET_IDS,
    INSERT_USER,
    MET,
    OWNER,
    PUT_SESSION,
    SEEDED,
    SESSION,
    UPDATE_USER,
    USER,
)
from clients_register.handlers.store.state import LAST_SEEDED_ID


class PostgresStore:
    """See `Store`. What changes users holds the row of the world, so one does so at a time."""

    def __init__(self, connections: Connections, world: str) -> None:
        """`world` is there; the connections stay open when the store is closed."""
        self._connections = connections
        self._world = world

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
                    await connection.execute(PUT_SESSION, session_row(self._world, session))
                for mail in mails:
                    await connection.execute(ADD_MAIL, mail_row(self._world, mail))
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
                await connection.execute(UPDATE_USER, user_row(self._world, before))
                return
            await connection.execute(
                "DELETE FROM clients_register.users WHERE world = %s AND id = %s",
                [self._world, user.id],
            )

    async def session(self, digest: str) -> Session | None:
        """See `Store.session`."""
        async with self._connections.connection() as connection:
            found = await records(connection, Session, SESSION, [self._world, digest])
        return next(iter(found), None)

    async def put_session(self, session: Session) -> None:
        """See `Store.put_session`."""
        async with self._connections.connection() as connection:
            try:
                await connection.execute(PUT_SESSION, session_row(self._world, session))
            except ForeignKeyViolation:
                raise LookupError(
                    f"a session of user {session.user_id}, who is not there"
                ) from None

    async def add_mail(self, mail: Mail) -> None:
        """See `Store.add_mail`."""
        async with self._connections.connection() as connection:
            await connection.execute(ADD_MAIL, mail_row(self._world, mail))

    async def mails(self) -> Sequence[Mail]:
        """See `Store.mails`."""
        async with self._connections.connection() as connection:
            return await records(connection, Mail, ALL_MAILS, [self._world])

    async def users(self) -> Sequence[User]:
        """See `Store.users`."""
        async with self._connections.connection() as connection:
            return await records(connection, User, ALL_USERS, [self._world])

    async def sessions(self) -> Sequence[Session]:
        """See `Store.sessions`."""
        async with self._connections.connection() as connection:
            found = await records(connection, Session, ALL_SESSIONS, [self._world])
        return tuple(sorted(found, key=lambda session: session.order))

    async def remove(
        self, users: Iterable[int] = (), sessions: Iterable[str] = (), *, mails: bool = False
    ) -> None:
        """See `Store.remove`."""
        async with self._connections.transaction() as connection:
            await self._lock(connection)
            await connection.execute(
                "DELETE FROM clients_register.users WHERE world = %s AND id = ANY(%s::bigint[])",
                [self._world, list(users)],
            )
            await connection.execute(
                "DELETE FROM clients_register.sessions"
                " WHERE world = %s AND digest = ANY(%s::text[])",
                [self._world, list(sessions)],
            )
            if mails:
                await connection.execute(
                    "DELETE FROM clients_register.mails WHERE world = %s", [self._world]
                )
            await connection.execute(FORGET_IDS, [LAST_SEEDED_ID, self._world])

    async def seed(
        self, users: Iterable[User], sessions: Iterable[Session], *, public: bool
    ) -> None:
        """See `Store.seed`."""
        seeded, put = list(users), list(sessions)
        numbers = [number for each in seeded for number in numbers_of(each)]
        async with self._connections.transaction() as connection:
            await self._lock(connection)
            keys = [each.email_key for each in seeded]
            met = await records(connection, User, MET, [self._world, numbers, numbers, keys])
            new = newcomers(seeded, {each.id: each for each in met}, self._connections.database)
            used = [number for each in new for number in numbers_of(each)]
            async with connection.cursor() as cursor:
                await cursor.executemany(INSERT_USER, [user_row(self._world, u) for u in new])
                try:
                    await cursor.executemany(
                        PUT_SESSION, [session_row(self._world, s) for s in put]
                    )
                except ForeignKeyViolation:
                    raise LookupError("sessions of users who are not there") from None
            # Nobody is given an id that a seed has used.
            try:
                await connection.execute(SEEDED, [public, max(used, default=0), self._world])
            except CheckViolation:
                raise StoreError(
                    f"the database {self._connections.database} serves reference servers, and"
                    " anybody knows the passwords and tokens that the stub would add; name another"
                    " database with --store, or be the plain --reference"
                ) from None

    async def count_clients(self) -> int:
        """See `Store.count_clients`."""
        async with self._connections.connection() as connection:
            found = await connection.execute(
                "SELECT count(client_id) FROM clients_register.users WHERE world = %s",
                [self._world],
            )
            return sum([count async for (count,) in found])

    async def close(self) -> None:
        """See `Store.close`."""

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
            await connection.execute(
                INSERT_USER if user is None else UPDATE_USER, user_row(self._world, member)
            )
        except UniqueViolation as error:
            if error.diag.constraint_name != "users_email_key":
                raise
            raise EmailTaken from None
        return member

    async def _user(self, connection: Connection, user_id: int) -> User | None:
        found = await records(connection, User, USER, [self._world, user_id])
        return next(iter(found), None)

    async def _owner(self, connection: Connection, email_key: str) -> User | None:
        found = await records(connection, User, OWNER, [self._world, email_key])
        return next(iter(found), None)

    async def _lock(self, connection: Connection, new_ids: int = 0) -> int:
        """Nobody else changes users until the transaction ends; the last of so many new ids.

        One sequence for users and clients, so that the two numbers of a person never coincide.
        """
        found = await connection.execute(
            "UPDATE clients_register.worlds SET last_id = last_id + %s WHERE name = %s"
            " RETURNING last_id",
            [new_ids, self._world],
        )
        row = await found.fetchone()
        if row is None:
            raise StoreError(f"the world {self._world} was removed by another server")
        last_id: int = row[0]
        return last_id
