"""Stubs on one database that come and go, and worlds that go while others come."""

import signal

import pytest
from support.hang import until
from support.live import SettableClock, registration
from support.postgres import Server
from support.stub import seen, stub_on

from clients_register.handlers.mock.clock import WorldClock
from clients_register.handlers.mock.minted import Minted
from clients_register.handlers.mock.state.arrangement import Arrangement
from clients_register.handlers.mock.state.postgres.states import PostgresStates
from clients_register.handlers.store import StoreError
from clients_register.handlers.store.postgres.connections import Connections
from clients_register.handlers.store.postgres.engine import Postgres

pytestmark = pytest.mark.once


async def test_who_has_ended_is_not_there_any_more(postgres: Server, name: str) -> None:
    connections = await Connections.opened(postgres.at(name))
    present = []
    for _ in range(20):
        states = await PostgresStates.opened(connections)
        await states.close()
        present.append(postgres.stubs(name))
    await connections.close()
    assert set(present) == {0}


async def test_a_world_that_is_removed_while_it_is_opened_is_told_as_that(
    postgres: Server,
) -> None:
    connections = await Connections.opened(postgres.at(postgres.made()))
    engine = Postgres(connections)
    states = await PostgresStates.opened(connections)
    state = states.of("ann", Arrangement(WorldClock(SettableClock()), Minted()))

    async def open_and_lose() -> None:
        async with state.opening():
            await engine.store("ann", public_allowed=True)
            await engine.erase("ann")

    with pytest.raises(StoreError, match="the world ann was removed by another server"):
        await open_and_lose()
    await states.close()
    await connections.close()


def test_with_the_last_stub_goes_all_but_what_was_stored(postgres: Server, name: str) -> None:
    with stub_on(postgres, name) as one:
        with stub_on(postgres, name) as other:
            other.registered("a@x.test")
            other.control("PUT", "/clock", {"advance": "P8D"})
            other.control("PUT", "/next", ["missing-param"])
        assert one.registered("b@x.test") == "missing-param", "the other is gone, this one is not"
        assert seen(one, "/clock")["ahead"] == 8 * 24 * 3600
    with stub_on(postgres, name) as next_one:
        assert seen(next_one, "/clock")["ahead"] == 0
        assert seen(next_one, "/requests") == []
        assert next_one.registered("a@x.test") == "email-already-registered"
        live = registration("c@x.test", token="client-session")
        assert next_one.sent(live).json()["status"] == "action-successful"


def test_who_joins_after_the_database_was_lost_begins_nothing_anew(mortal: Server) -> None:
    name = mortal.made()
    with stub_on(mortal, name) as one:
        one.control("PUT", "/next", ["missing-param"])
        mortal.stop(signal.SIGQUIT)
        mortal.start()
        until(lambda: mortal.stubs(name) == 1)
        with stub_on(mortal, name) as other:
            assert seen(other, "/next")[0]["slug"] == "missing-param"
            assert one.registered("a@x.test") == "missing-param"


def test_the_schema_of_another_program_is_left_as_it_is(postgres: Server, name: str) -> None:
    postgres.told(name, "CREATE SCHEMA clients_register_stub")
    postgres.told(name, "CREATE TABLE clients_register_stub.worlds (theirs text)")
    with pytest.raises(StoreError, match="belongs to another program; it is left as it is"):
        stub_on(postgres, name).__enter__()
    assert postgres.told(name, "SELECT * FROM clients_register_stub.worlds") == []


def test_a_stub_of_another_version_is_told(postgres: Server, name: str) -> None:
    with stub_on(postgres, name) as one:
        mark = "clients-register, the stub, version 0"
        postgres.told(name, f"COMMENT ON SCHEMA clients_register_stub IS '{mark}'")
        with pytest.raises(StoreError, match=r"stubs of another version .* stop them first"):
            stub_on(postgres, name).__enter__()
        assert one.registered("a@x.test") == "action-successful"
    with stub_on(postgres, name) as alone:
        assert alone.registered("b@x.test") == "action-successful", "it begins anew"
