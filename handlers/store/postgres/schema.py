"""The tables: created once, and checked to be ours before they are used.

A database that is refused is left unchanged.
"""

import psycopg

from clients_register.handlers.store.base import LAST_SEEDED_ID, StoreError
from clients_register.handlers.store.postgres.address import DatabaseAddress

FORMAT = "clients-register"
VERSION = 2
ANOTHER = "name another database with --store"

# The advisory lock under which tables are created.
LOCK = int.from_bytes(b"clients-")

TABLES = frozenset({"meta", "users", "sessions", "mails"})

# Records are JSON, as in a data file, because neither `jsonb` nor `text` can store NUL characters,
# which names may contain. Other columns exist only for searches and constraints.
#
# Transactions that change users lock the row of `meta` first, so that ids have no gaps, and so that
# there are no deadlocks. The collation C compares addresses by bytes, as the file store does.
SCHEMA = """
CREATE TABLE clients_register.meta (
    format text NOT NULL,
    version integer NOT NULL,
    last_id bigint NOT NULL
);

CREATE TABLE clients_register.users (
    id bigint PRIMARY KEY,
    email_key text COLLATE "C" NOT NULL,
    client_id bigint,
    record json NOT NULL,
    CONSTRAINT users_email_key UNIQUE (email_key),
    CONSTRAINT users_client_id UNIQUE (client_id)
);

CREATE TABLE clients_register.sessions (
    digest text COLLATE "C" PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES clients_register.users ON DELETE CASCADE,
    record json NOT NULL
);

CREATE INDEX sessions_of_user ON clients_register.sessions (user_id);

CREATE TABLE clients_register.mails (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record json NOT NULL
);
"""


async def prepare(connection: psycopg.AsyncConnection, database: DatabaseAddress) -> None:
    """Creates the tables, or checks that they are ours. Raises StoreError."""
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            await _check_encoding(connection, database)
            if tables := await _list_tables(connection):
                await _check(connection, database, tables)
            else:
                await _create(connection)
    except psycopg.Error as error:
        raise StoreError(
            f"the database {database} cannot be used: {' '.join(str(error).split())}; expected a"
            " user who may create a schema, or owns one named clients_register; grant that, or"
            f" {ANOTHER}"
        ) from None


async def _list_tables(connection: psycopg.AsyncConnection) -> frozenset[str]:
    found = await connection.execute(
        """
        SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'clients_register' AND relkind IN ('r', 'p', 'v', 'm', 'f')
        """
    )
    return frozenset(name for (name,) in await found.fetchall())


async def _check_encoding(connection: psycopg.AsyncConnection, database: DatabaseAddress) -> None:
    found = await connection.execute("SELECT current_setting('server_encoding')")
    for (encoding,) in await found.fetchall():
        if encoding != "UTF8":
            raise StoreError(
                f"the database {database} has the encoding {encoding}: expected UTF8, since names"
                f" and addresses may contain any character; {ANOTHER}"
            )


async def _create(connection: psycopg.AsyncConnection) -> None:
    exists = await connection.execute("SELECT to_regnamespace('clients_register') IS NOT NULL")
    # A user with an empty schema may not be allowed to create one.
    if await exists.fetchone() == (False,):
        await connection.execute("CREATE SCHEMA clients_register")
    await connection.execute(SCHEMA)
    await connection.execute(
        "INSERT INTO clients_register.meta VALUES (%s, %s, %s)", [FORMAT, VERSION, LAST_SEEDED_ID]
    )


async def _check(
    connection: psycopg.AsyncConnection, database: DatabaseAddress, tables: frozenset[str]
) -> None:
    foreign = StoreError(
        f"the schema clients_register of the database {database} belongs to another program:"
        f" expected a store of {FORMAT}; it is left unchanged; {ANOTHER}"
    )
    if "meta" not in tables:
        raise foreign
    try:
        found = await connection.execute("SELECT format, version FROM clients_register.meta")
    except psycopg.errors.UndefinedColumn:
        raise foreign from None
    heads = await found.fetchall()
    if len(heads) != 1 or heads[0][0] != FORMAT:
        raise foreign
    if heads[0][1] != VERSION:
        raise StoreError(
            f"the store in the database {database} has version {heads[0][1]}, expected {VERSION};"
            f" it is left unchanged; use the program that wrote it, or {ANOTHER}"
        )
    if different := sorted(tables ^ TABLES):
        raise StoreError(
            f"the store in the database {database} is damaged: expected the tables"
            f" {', '.join(sorted(TABLES))}, found a difference in {', '.join(different)}; it is"
            f" left unchanged; restore a copy of it, or {ANOTHER}"
        )
