"""Enrolments, in every engine: client, mail and session are stored together, or none of them is."""

import asyncio

import pytest
from support.people import about_to_register, enrolled, mail, session, user

from clients_register.handlers.records import User
from clients_register.handlers.store import EmailTaken, Store
from clients_register.handlers.store.enrolment import Enrolment

ADA, BEA = about_to_register("ada@x.test"), about_to_register("bea@x.test")


async def filled(enrolment: Enrolment) -> None:
    await enrolment.add_mail(mail(enrolment.user.email))
    await enrolment.put_session(session(enrolment.user.email, enrolment.user.id))


async def counted(store: Store) -> tuple[int, ...]:
    """Clients, sessions, mails."""
    return await store.count_clients(), len(await store.sessions()), len(await store.mails())


class Crash(Exception):
    """Something unforeseen."""


async def crashing(
    store: Store,
    before: User | None,
    *,
    settled: bool = False,
    inside: asyncio.Event | None = None,
) -> None:
    """An enrolment of ADA in which something unforeseen happens, once it is `settled` or before.

    Sets `inside` when it has begun.
    """
    async with store.enrol(ADA, before) as enrolment:
        if inside is not None:
            inside.set()
        await filled(enrolment)
        if settled:
            await enrolment.settle()
        assert enrolment.may_be_stored == settled
        await a_while()
        raise Crash


async def a_while() -> None:
    """Lets others go on to where they wait, if they do."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_all_of_an_enrolment_is_seen_at_its_end_and_nothing_before(store: Store) -> None:
    async with store.enrol(ADA, None) as enrolment:
        await filled(enrolment)
        assert not enrolment.may_be_stored
        assert await store.user_by_email("ada@x.test") is None
        assert await counted(store) == (0, 0, 0)
    assert await store.user_by_email("ada@x.test") == enrolment.user
    assert await store.sessions() == (session("ada@x.test", enrolment.user.id),)
    assert await store.mails() == (mail("ada@x.test"),)


async def test_of_an_enrolment_that_crashes_nothing_is_stored_and_its_address_is_free(
    store: Store,
) -> None:
    with pytest.raises(Crash):
        await crashing(store, None)
    assert await counted(store) == (0, 0, 0)
    assert await store.users() == ()
    made = await enrolled(store, ADA, None)
    assert await store.users() == (made,)


async def test_of_an_enrolment_that_crashes_an_existing_user_stays_as_they_were(
    store: Store,
) -> None:
    there, opened = user(7, "ada@x.test"), session("t", 7)
    await store.seed([there], [opened], public=False)
    with pytest.raises(Crash):
        await crashing(store, there)
    assert await store.users() == (there,)
    assert await store.sessions() == (opened,)


async def test_what_was_settled_stays_whatever_follows(store: Store) -> None:
    with pytest.raises(Crash):
        await crashing(store, None, settled=True)
    assert await counted(store) == (1, 1, 1)


async def test_what_follows_a_settlement_is_stored_at_once(store: Store) -> None:
    async with store.enrol(ADA, None) as enrolment:
        await enrolment.settle()
        await filled(enrolment)
        assert await counted(store) == (1, 1, 1)
        await enrolment.settle()
    assert await counted(store) == (1, 1, 1)


async def test_nobody_waits_for_an_enrolment_that_is_settled(store: Store) -> None:
    async with store.enrol(ADA, None) as enrolment:
        await enrolment.settle()
        bea = await enrolled(store, BEA, None)
        with pytest.raises(EmailTaken):
            await enrolled(store, ADA, None)
        await store.remove([bea.id])
    assert await store.users() == (enrolment.user,)


async def test_the_session_of_another_is_none_of_an_enrolment(store: Store) -> None:
    await store.seed([user(7, "there@x.test")], [], public=False)
    with pytest.raises(LookupError):
        async with store.enrol(ADA, None) as enrolment:
            await enrolment.put_session(session("t", 7))
    assert await counted(store) == (0, 0, 0)


async def test_an_address_is_taken_by_an_enrolment_that_ends_well(store: Store) -> None:
    async with store.enrol(ADA, None):
        other = asyncio.create_task(enrolled(store, ADA, None))
        await a_while()
        assert not other.done(), "nobody is told of what may still crash"
    with pytest.raises(EmailTaken):
        await other


async def test_an_address_goes_to_who_waits_where_an_enrolment_crashes(store: Store) -> None:
    inside = asyncio.Event()
    first = asyncio.create_task(crashing(store, None, inside=inside))
    await inside.wait()
    made = await enrolled(store, ADA, None)
    with pytest.raises(Crash):
        await first
    assert await store.users() == (made,)


async def test_a_removal_waits_for_an_enrolment(store: Store) -> None:
    there = user(7, "ada@x.test")
    await store.seed([there], [], public=False)
    async with store.enrol(ADA, there) as enrolment:
        await filled(enrolment)
        removing = asyncio.create_task(store.remove([7], mails=True))
        await a_while()
        assert not removing.done()
    await removing
    assert await store.users() == ()
    assert await counted(store) == (0, 0, 0)


async def test_an_enrolment_that_is_cancelled_leaves_nothing(store: Store) -> None:
    inside, never = asyncio.Event(), asyncio.Event()

    async def waiting() -> None:
        async with store.enrol(ADA, None) as enrolment:
            await filled(enrolment)
            inside.set()
            await never.wait()

    task = asyncio.create_task(waiting())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await counted(store) == (0, 0, 0)
    await enrolled(store, ADA, None)


async def test_of_sixteen_whole_enrolments_of_one_address_one_succeeds(store: Store) -> None:
    async def whole() -> User:
        async with store.enrol(ADA, None) as enrolment:
            await filled(enrolment)
        return enrolment.user

    outcomes = await asyncio.gather(*(whole() for _ in range(16)), return_exceptions=True)
    assert sum(isinstance(each, User) for each in outcomes) == 1
    assert sum(isinstance(each, EmailTaken) for each in outcomes) == 15
    assert await counted(store) == (1, 1, 1)
