"""A registration whose database is lost in the middle of it: a crash, and nothing is stored."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from support.limits import LIMIT, impatient
from support.live import Live
from support.postgres import Server, Way
from support.servers import KEY, FakeMandrill, held_back

CRASH = {"code": 500, "status": "application-crash"}

# The statements of a registration, in order, after its rules have passed.
STATEMENTS = [
    "UPDATE clients_register.meta",
    "INSERT INTO clients_register.users",
    "INSERT INTO clients_register.sessions",
    "INSERT INTO clients_register.mails",
    "COMMIT",
]


@dataclass(frozen=True)
class Lost:
    """A server of ours, the way to its database, and what is really there."""

    live: Live
    way: Way
    told: Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def lost(start: Callable[..., Live], postgres: Server) -> Iterator[Lost]:
    name = postgres.made()
    with Way(postgres.at(name)) as way:
        # Without a seed, whose statements the driver would have prepared: see `Way`.
        live = start(store=way.database, reference=True)
        yield Lost(live, way, partial(postgres.told, name))


def counted(told: Callable[[str], list[tuple[Any, ...]]], email: str) -> list[tuple[Any, ...]]:
    """How many users of that address, sessions of those who registered, and mails there are."""
    return told(
        f"SELECT (SELECT count(*) FROM clients_register.users WHERE email_key = '{email}'),"
        " (SELECT count(*) FROM clients_register.sessions WHERE user_id > 1000),"
        " (SELECT count(*) FROM clients_register.mails)",
    )


@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("statement", STATEMENTS)
def test_who_is_lost_at_a_statement_was_never_stored_and_can_register(
    lost: Lost, email: str, statement: str, *, answered: bool
) -> None:
    lost.way.cut(statement, answered=answered)
    assert lost.live.register(email) == CRASH
    assert lost.way.cuts == 1
    # Where the answer to the COMMIT is lost, the client is taken back; a mail cannot be.
    mails = 1 if (statement, answered) == ("COMMIT", True) else 0
    assert counted(lost.told, email) == [(0, 0, mails)]
    assert lost.live.register(email)["status"] == "action-successful"
    assert counted(lost.told, email) == [(1, 1, mails + 1)]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_who_is_lost_with_the_database_was_never_stored_and_can_register_when_it_is_back(
    lost: Lost, email: str, statement: str
) -> None:
    lost.way.cut(statement, answered=False, stays=True)
    with impatient():
        assert lost.live.register(email) == CRASH
    assert counted(lost.told, email) == [(0, 0, 0)]
    lost.way.mend()
    assert lost.live.register(email)["status"] == "action-successful"
    assert counted(lost.told, email) == [(1, 1, 1)]


def test_an_existing_user_who_is_lost_stays_as_they_were(
    start: Callable[..., Live], postgres: Server
) -> None:
    name = postgres.made()
    liaison = {"email": "liaison@personas.test", "password": "password of liaison"}
    select = (
        "SELECT id, client_id, record::text FROM clients_register.users"
        f" WHERE email_key = '{liaison['email']}'"
    )
    with Way(postgres.at(name)) as way:
        live = start(store=way.database)
        before = postgres.told(name, select)
        way.cut("COMMIT", answered=True)
        assert live.post({"application": "planoauth", "client": liaison}).json() == CRASH
        assert way.cuts == 1
        assert postgres.told(name, select) == before


def test_nothing_of_the_database_is_held_while_a_mail_is_on_its_way(
    start: Callable[..., Live], postgres: Server, email: str
) -> None:
    name = postgres.made()
    told = partial(postgres.told, name)
    with FakeMandrill() as api:
        mandrill = {"mail": "mandrill", "mandrill_key": KEY, "mandrill_url": api.url}
        live = start(store=postgres.at(name), mandrill_timeout=LIMIT, **mandrill)
        api.answer = held_back
        with ThreadPoolExecutor() as callers:
            answer = callers.submit(live.register, email)
            assert api.called.wait(LIMIT)
            assert counted(told, email) == [(1, 0, 0)], "the client is durable by now"
            held = "SELECT state FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
            assert told(f"{held} AND datname = '{name}'") == []
            api.released.set()
            assert answer.result(LIMIT)["status"] == "action-successful"
    assert counted(told, email) == [(1, 1, 0)]
