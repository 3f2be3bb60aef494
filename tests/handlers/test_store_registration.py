"""Registrations, in every store: client, mail and session are stored together, or none of them."""

import asyncio

import pytest
from support.records import about_to_register, mail, register_client, session, user

from clients_register.handlers.models import User
from clients_register.handlers.store.base import EmailTaken, PendingRegistration, Store

ADA, BEA = about_to_register("ada@x.test"), about_to_register("bea@x.test")


async def add_mail_and_session(pending: PendingRegistration) -> None:
    await pending.add_mail(mail(pending.user.email))
    await pending.put_session(session(pending.user.email, pending.user.id))


async def count_records(store: Store) -> tuple[int, ...]:
    """Clients, sessions, mails."""
    return await store.count_clients(), len(await store.sessions()), len(await store.mails())


class Crash(Exception):
    """Anything unforeseen."""


async def crash_while_registering(
    store: Store,
    existing_user: User | None,
    *,
    committed: bool = False,
    inside: asyncio.Event | None = None,
) -> None:
    """Begins to register ADA, and crashes, before or after the commit. Sets `inside` meanwhile."""
    async with store.begin_registration(ADA, existing_user) as pending:
        if inside is not None:
            inside.set()
        await add_mail_and_session(pending)
        if committed:
            await pending.commit()
        assert pending.commit_was_called == committed
        await let_others_run()
        raise Crash


async def let_others_run() -> None:
    """Lets other tasks run until they wait for something."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_nothing_is_visible_before_the_commit_and_everything_after(store: Store) -> None:
    async with store.begin_registration(ADA, None) as pending:
        await add_mail_and_session(pending)
        assert not pending.commit_was_called
        assert await store.user_by_email("ada@x.test") is None
        assert await count_records(store) == (0, 0, 0)
        await pending.commit()
    assert await store.user_by_email("ada@x.test") == pending.user
    assert await store.sessions() == (session("ada@x.test", pending.user.id),)
    assert await store.mails() == (mail("ada@x.test"),)


async def test_a_crash_before_the_commit_stores_nothing_and_frees_the_address(
    store: Store,
) -> None:
    with pytest.raises(Crash):
        await crash_while_registering(store, None)
    assert await count_records(store) == (0, 0, 0)
    assert await store.users() == ()
    made = await register_client(store, ADA, None)
    assert await store.users() == (made,)


async def test_a_crash_before_the_commit_leaves_an_existing_user_unchanged(
    store: Store,
) -> None:
    there, opened = user(7, "ada@x.test"), session("t", 7)
    await store.seed([there], [opened], public=False)
    with pytest.raises(Crash):
        await crash_while_registering(store, there)
    assert await store.users() == (there,)
    assert await store.sessions() == (opened,)


async def test_what_was_committed_survives_a_crash(store: Store) -> None:
    with pytest.raises(Crash):
        await crash_while_registering(store, None, committed=True)
    assert await count_records(store) == (1, 1, 1)


async def test_records_added_after_the_commit_are_stored_immediately(store: Store) -> None:
    async with store.begin_registration(ADA, None) as pending:
        await pending.commit()
        await add_mail_and_session(pending)
        assert await count_records(store) == (1, 1, 1)
        await pending.commit()
    assert await count_records(store) == (1, 1, 1)


async def test_a_committed_registration_blocks_no_other_write(store: Store) -> None:
    async with store.begin_registration(ADA, None) as pending:
        await pending.commit()
        bea = await register_client(store, BEA, None)
        with pytest.raises(EmailTaken):
            await register_client(store, ADA, None)
        await store.remove([bea.id])
    assert await store.users() == (pending.user,)


async def test_a_session_of_another_user_is_refused(store: Store) -> None:
    await store.seed([user(7, "there@x.test")], [], public=False)
    with pytest.raises(LookupError):
        async with store.begin_registration(ADA, None) as pending:
            await pending.put_session(session("t", 7))
    assert await count_records(store) == (0, 0, 0)


async def test_a_concurrent_registration_waits_and_finds_the_address_taken(store: Store) -> None:
    async with store.begin_registration(ADA, None) as pending:
        other = asyncio.create_task(register_client(store, ADA, None))
        await let_others_run()
        assert not other.done(), "the first one may still crash"
        await pending.commit()
    with pytest.raises(EmailTaken):
        await other


async def test_a_waiting_registration_gets_the_address_if_the_first_one_crashes(
    store: Store,
) -> None:
    inside = asyncio.Event()
    first = asyncio.create_task(crash_while_registering(store, None, inside=inside))
    await inside.wait()
    made = await register_client(store, ADA, None)
    with pytest.raises(Crash):
        await first
    assert await store.users() == (made,)


async def test_a_removal_waits_for_a_pending_registration(store: Store) -> None:
    there = user(7, "ada@x.test")
    await store.seed([there], [], public=False)
    async with store.begin_registration(ADA, there) as pending:
        await add_mail_and_session(pending)
        removing = asyncio.create_task(store.remove([7], mails=True))
        await let_others_run()
        assert not removing.done()
        await pending.commit()
    await removing
    assert await store.users() == ()
    assert await count_records(store) == (0, 0, 0)


async def test_a_cancelled_registration_stores_nothing(store: Store) -> None:
    inside, never = asyncio.Event(), asyncio.Event()

    async def waiting() -> None:
        async with store.begin_registration(ADA, None) as pending:
            await add_mail_and_session(pending)
            inside.set()
            await never.wait()

    task = asyncio.create_task(waiting())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count_records(store) == (0, 0, 0)
    await register_client(store, ADA, None)


async def test_one_of_sixteen_concurrent_registrations_of_an_address_succeeds(store: Store) -> None:
    async def register() -> User:
        async with store.begin_registration(ADA, None) as pending:
            await add_mail_and_session(pending)
            await pending.commit()
        return pending.user

    outcomes = await asyncio.gather(*(register() for _ in range(16)), return_exceptions=True)
    assert sum(isinstance(each, User) for each in outcomes) == 1
    assert sum(isinstance(each, EmailTaken) for each in outcomes) == 15
    assert await count_records(store) == (1, 1, 1)


async def test_without_a_commit_nothing_is_stored_and_the_address_is_free(store: Store) -> None:
    async with store.begin_registration(ADA, None) as pending:
        await add_mail_and_session(pending)
    assert await count_records(store) == (0, 0, 0)
    await register_client(store, ADA, None)
