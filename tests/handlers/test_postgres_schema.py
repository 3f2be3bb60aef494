"""The tables in a PostgreSQL database: made once, and what is not ours is left as it is."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from support.command import reserved_port
from support.postgres import PASSWORD, Server
from support.records import about_to_register, register_client
from support.store import in_database, opened

from clients_register.handlers.store.base import StoreError
from clients_register.handlers.store.postgres.address import DatabaseAddress
from clients_register.handlers.store.postgres.store import PostgresStore

TABLES = (
    "SELECT relname, relkind, oid, reltuples FROM pg_class"
    " WHERE relnamespace = to_regnamespace('clients_register') ORDER BY relname"
)

# Why a database is not a store of ours -> the statement, and words of the message.
FOREIGN = {
    "tables of another program": (
        "CREATE SCHEMA clients_register; CREATE TABLE clients_register.customers ()",
        "belongs to another program: expected a store of clients-register",
    ),
    "another program's view": (
        "CREATE SCHEMA clients_register; CREATE VIEW clients_register.customers AS SELECT 1",
        "belongs to another program",
    ),
    "another program's meta": (
        "CREATE SCHEMA clients_register; CREATE TABLE clients_register.meta (key text)",
        "belongs to another program",
    ),
    "another program's name": (
        "CREATE SCHEMA clients_register;"
        " CREATE TABLE clients_register.meta AS SELECT 'customers' AS format, 1 AS version",
        "belongs to another program",
    ),
    "no version": (
        "CREATE SCHEMA clients_register;"
        " CREATE TABLE clients_register.meta (format text, version integer)",
        "belongs to another program",
    ),
}
SPOILT = {
    "an older version": ("UPDATE clients_register.meta SET version = 1", "version 1, expected 2"),
    "a newer version": ("UPDATE clients_register.meta SET version = 3", "version 3, expected 2"),
    "a table too few": (
        "DROP TABLE clients_register.mails",
        "is damaged: expected the tables mails, .*, found a difference in mails",
    ),
    "a table too many": ("CREATE TABLE clients_register.more ()", "a difference in more"),
}


async def refusal(database: DatabaseAddress) -> str:
    with pytest.raises(StoreError) as caught:
        await PostgresStore.open(database)
    told = str(caught.value)
    assert "\n" not in told
    assert PASSWORD not in told
    return told


async def test_servers_that_start_at_once_make_the_tables_once(postgres: Server) -> None:
    opening = in_database(postgres, postgres.made())
    opened = await asyncio.gather(*(opening() for _ in range(8)))
    made = await register_client(opened[0], about_to_register("ada@x.test"), None)
    for store in opened:
        assert await store.users() == (made,)
    await asyncio.gather(*(each.close() for each in opened))


async def test_tables_that_are_there_stay_as_they_are(postgres: Server) -> None:
    name = postgres.made()
    await (await in_database(postgres, name)()).close()
    before = postgres.told(name, TABLES)
    await (await in_database(postgres, name)()).close()
    assert postgres.told(name, TABLES) == before != []


@pytest.mark.parametrize("what", FOREIGN)
async def test_what_is_of_another_program_is_refused_untouched(postgres: Server, what: str) -> None:
    name, (statement, told) = postgres.made(), FOREIGN[what]
    postgres.told(name, statement)
    before = postgres.told(name, TABLES)
    message = await refusal(postgres.at(name))
    assert f"127.0.0.1:{postgres.port}/{name} {told}" in message
    assert "it is left unchanged; name another database with --store" in message
    assert postgres.told(name, TABLES) == before


@pytest.mark.parametrize("what", SPOILT)
async def test_what_is_of_another_version_is_refused_untouched(postgres: Server, what: str) -> None:
    name, (statement, told) = postgres.made(), SPOILT[what]
    await (await in_database(postgres, name)()).close()
    postgres.told(name, statement)
    before = postgres.told(name, TABLES)
    with pytest.raises(StoreError, match=told):
        await PostgresStore.open(postgres.at(name))
    assert postgres.told(name, TABLES) == before


async def test_other_schemas_of_the_database_are_nobodys_business(postgres: Server) -> None:
    name = postgres.made()
    postgres.told(name, "CREATE TABLE users (name text); CREATE TABLE meta (key text)")
    await (await in_database(postgres, name)()).close()
    assert postgres.told(name, "SELECT * FROM users") == []


async def test_a_database_that_cannot_hold_every_name_is_refused(postgres: Server) -> None:
    name = postgres.made("ENCODING 'LATIN1' TEMPLATE template0")
    message = await refusal(postgres.at(name))
    assert "has the encoding LATIN1: expected UTF8" in message
    assert postgres.told(name, TABLES) == []


@pytest.fixture
def restricted(postgres: Server) -> DatabaseAddress:
    """A new database, for a user who may make nothing in it."""
    name = postgres.made()
    role = f"user_{name}"
    postgres.told(name, f"CREATE ROLE {role} LOGIN PASSWORD 'hush'")
    return replace(postgres.at(name), user=role, password="hush")


async def test_who_may_make_no_tables_is_told_what_to_grant(restricted: DatabaseAddress) -> None:
    message = await refusal(restricted)
    assert "permission denied for database" in message
    assert "expected a user who may create a schema, or owns one" in message


async def test_an_empty_schema_of_ones_own_is_enough(
    postgres: Server, restricted: DatabaseAddress
) -> None:
    postgres.told(
        restricted.name, f"CREATE SCHEMA clients_register AUTHORIZATION {restricted.user}"
    )
    async with opened(partial(PostgresStore.open, restricted)) as store:
        await register_client(store, about_to_register("ada@x.test"), None)


async def test_a_server_that_is_not_there_is_told_with_what_was_tried(postgres: Server) -> None:
    with reserved_port() as port:
        message = await refusal(replace(postgres.at("clients"), port=port))
    assert f"the database postgresql://127.0.0.1:{port}/clients cannot be reached: " in message
    assert "Connection refused" in message
    assert "start it, correct them, or name another database with --store" in message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"password": "wrong-5b1e"}, "password authentication failed"),
        ({"user": "nobody"}, "password authentication failed"),
        ({"name": "nowhere"}, 'database "nowhere" does not exist'),
    ],
    ids=str,
)
async def test_what_is_wrong_in_the_url_is_told_without_the_password(
    postgres: Server, changes: dict[str, Any], told: str
) -> None:
    message = await refusal(replace(postgres.at("postgres"), **changes))
    assert told in message
    assert "wrong-5b1e" not in message
