"""The PostgreSQL store under several servers, and under callers who go away."""

import asyncio
import signal
from functools import partial
from itertools import count
from typing import Any

import psycopg
import pytest
from support.limits import impatient, scheduled, until
from support.postgres import Server, Way, nobody_writes, waiting
from support.records import about_to_register, register_client, session, user
from support.store import ACTS, in_database, opened

from clients_register.handlers.models import User
from clients_register.handlers.store.base import EmailTaken, Store, StoreError, StoreUnavailable
from clients_register.handlers.store.postgres import connections
from clients_register.handlers.store.postgres.connections import MAX_CONNECTIONS
from clients_register.handlers.store.postgres.store import PostgresStore

FIRST = asyncio.FIRST_COMPLETED


async def everything(store: Store) -> list[Any]:
    sessions = sorted(await store.sessions(), key=lambda each: each.digest)
    return [await store.users(), sessions, await store.mails()]


async def test_of_sixteen_registrations_by_two_servers_one_succeeds(
    postgres: Server, database: str
) -> None:
    opening = in_database(postgres, database)
    async with opened(opening) as one, opened(opening) as other:
        outcomes = await asyncio.gather(
            *(
                register_client(store, about_to_register("ada@x.test"), None)
                for store in (one, other)
                for _ in range(8)
            ),
            return_exceptions=True,
        )
        made = [each for each in outcomes if isinstance(each, User)]
        assert len(made) == 1
        assert sum(isinstance(each, EmailTaken) for each in outcomes) == 15
        for store in (one, other):
            assert await store.users() == (made[0],)


async def test_of_sixteen_claims_of_one_user_by_two_servers_one_succeeds(
    postgres: Server, database: str
) -> None:
    opening, there = in_database(postgres, database), user(7, "ada@x.test")
    async with opened(opening) as one, opened(opening) as other:
        await one.seed([there], [], public=False)
        outcomes = await asyncio.gather(
            *(
                register_client(store, about_to_register("ada@x.test"), there)
                for store in (one, other)
                for _ in range(8)
            ),
            return_exceptions=True,
        )
    assert sum(isinstance(each, User) for each in outcomes) == 1
    assert sum(isinstance(each, EmailTaken) for each in outcomes) == 15


async def test_no_id_is_given_out_by_two_servers(postgres: Server, database: str) -> None:
    opening = in_database(postgres, database)
    async with opened(opening) as one, opened(opening) as other:
        made = await asyncio.gather(
            *(
                register_client(store, about_to_register(f"{number}.{n}@x.test"), None)
                for n, store in enumerate((one, other))
                for number in range(10)
            )
        )
    numbers = [each.id for each in made] + [each.client.id for each in made if each.client]
    assert sorted(numbers) == list(range(1001, 1041)), "those that nobody was given have no gaps"


@pytest.mark.parametrize("act", ACTS)
async def test_a_caller_who_is_cancelled_leaves_nothing_half_done(
    postgres: Server, database: str, act: str
) -> None:
    there = user(7, "there@x.test")
    async with opened(in_database(postgres, database)) as store:
        await store.seed([there], [session("old", 7)], public=False)
        before = await everything(store)
        with nobody_writes(postgres, database):
            task = asyncio.ensure_future(ACTS[act](store, there))
            await asyncio.to_thread(until, lambda: waiting(postgres, database) > 0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await everything(store) == before
        await ACTS[act](store, there)
        assert await everything(store) != before


async def test_a_session_of_who_is_removed_meanwhile_is_not_kept(
    postgres: Server, database: str
) -> None:
    async with opened(in_database(postgres, database)) as store:
        made = await register_client(store, about_to_register("ada@x.test"), None)
        with psycopg.connect(**postgres.at(database).parameters()) as removing:
            removing.execute("DELETE FROM clients_register.users WHERE id = %s", [made.id])
            task = asyncio.ensure_future(store.put_session(session("t", made.id)))
            await asyncio.to_thread(until, lambda: waiting(postgres, database) > 0)
            removing.commit()
        with pytest.raises(LookupError):
            await task
        assert await store.sessions() == ()


async def test_an_id_that_is_taken_is_no_address_that_is(postgres: Server, database: str) -> None:
    async with opened(in_database(postgres, database)) as store:
        await register_client(store, about_to_register("ada@x.test"), None)
        postgres.told(database, "UPDATE clients_register.meta SET last_id = 1000")
        with pytest.raises(psycopg.errors.UniqueViolation):
            await register_client(store, about_to_register("bea@x.test"), None)


async def test_what_was_told_is_there_after_a_power_cut(mortal: Server) -> None:
    told: set[User] = set()
    enough = asyncio.Event()
    database = mortal.made()
    async with opened(in_database(mortal, database)) as store:

        async def register_on_and_on(name: int) -> None:
            for number in count():
                email = f"{name}.{number}@x.test"
                told.add(await register_client(store, about_to_register(email), None))
                if len(told) > 50:
                    enough.set()

        with impatient():
            callers = [asyncio.ensure_future(register_on_and_on(name)) for name in range(4)]
            await asyncio.wait([asyncio.ensure_future(enough.wait()), *callers], return_when=FIRST)
            await asyncio.to_thread(mortal.stop, signal.SIGQUIT)
            outcomes = await asyncio.gather(*callers, return_exceptions=True)
        assert {type(each) for each in outcomes} == {StoreUnavailable}
        await asyncio.to_thread(mortal.start)
        assert told <= set(await store.users())


@pytest.mark.parametrize("meanwhile", [0, 1, 16])
async def test_the_first_to_come_finds_the_database_that_is_back(
    mortal: Server, meanwhile: int
) -> None:
    database = mortal.made()
    async with opened(in_database(mortal, database)) as store:
        with nobody_writes(mortal, database):
            callers = [
                asyncio.ensure_future(
                    register_client(store, about_to_register(f"{n}@x.test"), None)
                )
                for n in range(MAX_CONNECTIONS)
            ]
            await asyncio.to_thread(until, lambda: waiting(mortal, database) == MAX_CONNECTIONS)
        there = set(await asyncio.gather(*callers))
        await asyncio.to_thread(mortal.stop, signal.SIGQUIT)
        with impatient():
            asked = (store.users() for _ in range(meanwhile))
            lost = await asyncio.gather(*asked, return_exceptions=True)
        await asyncio.to_thread(mortal.start)
        assert set(await store.users()) == there, "every connection there was is broken"
        assert all(isinstance(each, StoreUnavailable) for each in lost)


@pytest.mark.parametrize("act", ["add a new client", "remove everything", "seed"])
async def test_a_database_that_stands_still_holds_nobody_for_ever(
    postgres: Server, database: str, act: str
) -> None:
    with Way(postgres.at(database)) as way:
        there = user(7, "there@x.test")
        async with opened(partial(PostgresStore.open, way.database)) as store:
            await store.seed([there], [session("old", 7)], public=False)
            before = await everything(store)
            with way.frozen() as waiting_data, scheduled(connections.USE_TIMEOUT) as callbacks:
                acting = asyncio.ensure_future(ACTS[act](store, there))
                await asyncio.to_thread(until, waiting_data.is_set)
                callbacks[-1]()
                with pytest.raises(StoreUnavailable, match="no response within 30 seconds"):
                    await acting
            assert await everything(store) == before
            await ACTS[act](store, there)


@pytest.mark.parametrize("record", ["{}", "[]", "0"])
async def test_a_record_that_is_none_is_told(postgres: Server, database: str, record: str) -> None:
    async with opened(in_database(postgres, database)) as store:
        made = await register_client(store, about_to_register("ada@x.test"), None)
        postgres.told(database, f"UPDATE clients_register.users SET record = '{record}'")
        with pytest.raises(StoreError, match="a record in the database is damaged: user"):
            await store.user(made.id)


async def test_a_connection_that_is_cut_off_is_told_and_replaced(
    postgres: Server, database: str
) -> None:
    async with opened(in_database(postgres, database)) as store:
        with nobody_writes(postgres, database):
            task = asyncio.ensure_future(
                register_client(store, about_to_register("ada@x.test"), None)
            )
            await asyncio.to_thread(until, lambda: waiting(postgres, database) > 0)
            postgres.told(
                database, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted"
            )
            with pytest.raises(StoreUnavailable) as caught:
                await task
        assert f"127.0.0.1:{postgres.port}/{database} failed: terminating" in str(caught.value)
        assert await store.users() == ()
        await register_client(store, about_to_register("ada@x.test"), None)
