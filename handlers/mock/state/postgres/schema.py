"""The tables of the stub, beside those of the stores. They are made anew by each first server.

What is refused is left as it is.
"""

import psycopg

from clients_register.handlers.store import StoreError
from clients_register.handlers.store.postgres.connections import Connection
from clients_register.handlers.store.postgres.database import Database
from clients_register.handlers.store.postgres.schema import ANOTHER

# What the schema is marked with: servers of another version know other tables.
MARK = "clients-register, the stub, version 1"

MARKED = """
    SELECT obj_description(oid, 'pg_namespace'),
        EXISTS (SELECT FROM pg_class WHERE relnamespace = pg_namespace.oid)
    FROM pg_namespace WHERE nspname = 'clients_register_stub'
"""

# JSON as text, for the sake of the character NUL (see the tables of the stores). Versions are never
# given twice, so that who has read a later one knows it, whatever became of the world meanwhile.
#
# Rows that every answer changes are small, and have room beside them: a new version of a row then
# costs the least, and it stays where it is found.
#
# What was answered is counted under the name of its world, and under '' for worlds that are gone.
TABLES = """
DROP TABLE IF EXISTS clients_register_stub.requests, clients_register_stub.uses,
    clients_register_stub.worlds, clients_register_stub.met;
DROP SEQUENCE IF EXISTS clients_register_stub.versions;

CREATE SEQUENCE clients_register_stub.versions;

CREATE TABLE clients_register_stub.worlds (
    name text COLLATE "C" PRIMARY KEY REFERENCES clients_register.worlds ON DELETE CASCADE,
    version bigint NOT NULL DEFAULT nextval('clients_register_stub.versions'),
    arranged json NOT NULL
);

CREATE TABLE clients_register_stub.uses (
    world text COLLATE "C" PRIMARY KEY REFERENCES clients_register_stub.worlds ON DELETE CASCADE,
    asked bigint NOT NULL DEFAULT 0,
    used_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 10);

CREATE TABLE clients_register_stub.requests (
    world text COLLATE "C" NOT NULL
        REFERENCES clients_register_stub.uses ON DELETE CASCADE,
    number bigint NOT NULL,
    id text NOT NULL,
    status text,
    shown json NOT NULL,
    PRIMARY KEY (world, number)
);

CREATE TABLE clients_register_stub.met (
    world text COLLATE "C" NOT NULL,
    status text NOT NULL,
    by_the_rules bigint NOT NULL,
    forced bigint NOT NULL,
    PRIMARY KEY (world, status)
) WITH (fillfactor = 10);
"""


async def prepare(connection: Connection, database: Database, *, first: bool) -> None:
    """Makes the tables anew for the `first` server; any other finds them. Raises StoreError."""
    try:
        async with connection.transaction():
            found = await (await connection.execute(MARKED)).fetchone()
            mark, filled = found or (None, False)
            if filled and not (mark or "").startswith(MARK.rpartition(" ")[0]):
                raise StoreError(
                    f"the schema clients_register_stub of the database {database} belongs to"
                    f" another program; it is left as it is; {ANOTHER}"
                )
            if first:
                await _make(connection, there=found is not None)
            elif mark != MARK:
                raise StoreError(
                    f"stubs of another version are on the database {database}: expected {MARK!r},"
                    f" found {mark!r}; stop them first, or {ANOTHER}"
                )
    except psycopg.Error as error:
        raise StoreError(
            f"the database {database} cannot be used by a stub: {' '.join(str(error).split())};"
            " expected a user who may create a schema, or owns one that is named"
            f" clients_register_stub; grant that to them, or {ANOTHER}"
        ) from None


async def _make(connection: Connection, *, there: bool) -> None:
    # Whoever was given an empty schema to use may not be allowed to make one.
    if not there:
        await connection.execute("CREATE SCHEMA clients_register_stub")
    await connection.execute(TABLES)
    await connection.execute(f"COMMENT ON SCHEMA clients_register_stub IS '{MARK}'")
