"""The promises of each store; conftest.py lists the stores."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace
from support.records import HASH, about_to_register, client, mail, register_client, session, user
from support.store import Opening

from clients_register.handlers.models import Mail, Registration, Session, User
from clients_register.handlers.store.base import EmailTaken, Store, StoreError


async def everything(
    store: Store, users: Sequence[User], sessions: Sequence[Session]
) -> tuple[list[User | None], list[User | None], list[Session | None], Sequence[Mail], int]:
    """All that can be asked of `store` about these."""
    return (
        [await store.user(each.id) for each in users],
        [await store.user_by_email(each.email_key) for each in users],
        [await store.session(each.digest) for each in sessions],
        await store.mails(),
        await store.count_clients(),
    )


async def test_a_client_has_the_fields_of_the_registration(store: Store) -> None:
    asked = asdict(about_to_register("ada@x.test", enterprise=True))
    made = await register_client(store, Registration(**asked), None)
    assert made.client is not None
    assert asdict(made.client).items() - {("id", made.client.id)} <= asked.items()


async def test_a_new_client_is_found_by_id_and_by_address(store: Store) -> None:
    made = await register_client(store, about_to_register("ada@x.test"), None)
    assert await store.user(made.id) == made
    assert await store.user_by_email("ada@x.test") == made
    assert made.password_hash == HASH


async def test_nobody_is_found_where_nobody_is(store: Store) -> None:
    found = await everything(store, [user(7, "a@x.test")], [session("t", 7)])
    assert found == ([None], [None], [None], (), 0)


async def test_of_simultaneous_registrations_of_one_address_one_succeeds(store: Store) -> None:
    attempts = (register_client(store, about_to_register("ada@x.test"), None) for _ in range(50))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    made = [outcome for outcome in outcomes if isinstance(outcome, User)]
    assert len(made) == 1
    assert sum(isinstance(outcome, EmailTaken) for outcome in outcomes) == 49
    assert await store.user_by_email("ada@x.test") == made[0]


async def test_of_simultaneous_claims_of_one_user_one_succeeds(store: Store) -> None:
    there = user(7, "ada@x.test")
    await store.seed([there], [], public=False)
    attempts = (register_client(store, about_to_register("ada@x.test"), there) for _ in range(20))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, User) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, EmailTaken) for outcome in outcomes) == 19


async def test_no_id_of_users_and_clients_is_given_twice(store: Store) -> None:
    attempts = (register_client(store, about_to_register(f"{n}@x.test"), None) for n in range(20))
    made = await asyncio.gather(*attempts)
    numbers = [each.id for each in made] + [each.client.id for each in made if each.client]
    assert len(set(numbers)) == 40


async def test_a_user_becomes_a_client_and_keeps_their_password(store: Store) -> None:
    there = replace(user(7, "ada@x.test"), password_hash="their own", roles=frozenset({"liaison"}))
    await store.seed([there], [], public=False)
    made = await register_client(store, about_to_register("ada@x.test"), there)
    assert replace(made, client=None) == there
    assert made.client is not None


@pytest.mark.parametrize("named", [None, 8, 9])
async def test_only_their_own_user_gets_an_address(store: Store, named: int | None) -> None:
    owner, other = user(7, "ada@x.test"), user(8, "bea@x.test")
    await store.seed([owner, other, user(9, "cleo@x.test", client=client(10))], [], public=False)
    with pytest.raises(EmailTaken):
        await register_client(
            store,
            about_to_register("ada@x.test"),
            None if named is None else await store.user(named),
        )
    assert await store.user(7) == owner


async def test_a_user_who_is_not_there_becomes_no_client(store: Store) -> None:
    with pytest.raises(LookupError):
        await register_client(store, about_to_register("ada@x.test"), user(7, "ada@x.test"))
    assert await store.count_clients() == 0


async def test_a_client_that_is_taken_back_leaves_nothing(store: Store) -> None:
    made = await register_client(store, about_to_register("ada@x.test"), None)
    opened = session("t", made.id)
    await store.put_session(opened)
    await store.remove_client(made, None)
    assert await everything(store, [made], [opened]) == ([None], [None], [None], (), 0)


async def test_an_address_that_was_given_back_can_be_registered(store: Store) -> None:
    made = await register_client(store, about_to_register("ada@x.test"), None)
    await store.remove_client(made, None)
    again = await register_client(store, about_to_register("ada@x.test", phone="1"), None)
    await store.remove_client(made, None)
    assert await store.user(again.id) == again, "nobody else is taken back"


async def test_a_user_whose_client_is_taken_back_stays_as_they_were(store: Store) -> None:
    there, opened = user(7, "ada@x.test"), session("t", 7)
    await store.seed([there], [opened], public=False)
    made = await register_client(store, about_to_register("ada@x.test"), there)
    await store.remove_client(made, there)
    assert await everything(store, [there], [opened]) == ([there], [there], [opened], (), 0)


async def test_a_session_takes_the_place_of_the_one_with_its_digest(store: Store) -> None:
    made = await register_client(store, about_to_register("ada@x.test"), None)
    first, second = session("t", made.id), session("t", made.id, remember_me=True)
    await store.put_session(first)
    await store.put_session(second)
    assert await store.session(first.digest) == second


async def test_sessions_are_listed_by_user_and_of_one_user_the_oldest_first(store: Store) -> None:
    await store.seed([user(7, "ada@x.test"), user(8, "bea@x.test")], [], public=False)
    now = session("t", 7).created_at
    expected = [
        session(f"{number}.{hours}", number, created_at=now - timedelta(hours=hours))
        for number in (7, 8)
        for hours in (200, 30, 4)
    ]
    for each in sorted(expected, key=lambda each: each.digest):
        await store.put_session(each)
    assert [*await store.sessions()] == expected


async def test_a_session_of_nobody_is_not_kept(store: Store) -> None:
    with pytest.raises(LookupError):
        await store.put_session(session("t", 7))
    with pytest.raises(LookupError):
        await store.seed([user(8, "b@x.test")], [session("t", 7)], public=False)
    assert await store.session(session("t", 7).digest) is None
    assert await store.user(8) is None


async def test_an_open_store_is_available(store: Store) -> None:
    await store.check_available()


async def test_mails_are_kept_in_their_order(store: Store) -> None:
    sent = [mail(f"{number}@x.test") for number in range(12)]
    for each in sent:
        await store.add_mail(each)
    assert list(await store.mails()) == sent


async def test_a_seed_leaves_who_is_there_as_they_are(store: Store) -> None:
    there = user(7, "ada@x.test")
    await store.seed([there], [], public=False)
    made = await register_client(store, about_to_register("ada@x.test"), there)
    await store.seed([replace(there, password_hash="another")], [], public=False)
    assert await store.user(7) == made


async def test_a_seed_renews_the_sessions_that_are_there(store: Store) -> None:
    there, old = user(7, "ada@x.test"), session("t", 7)
    renewed = session("t", 7, last_used_at=old.created_at)
    await store.seed([there], [old], public=False)
    await store.seed([there], [renewed], public=False)
    assert await store.session(old.digest) == renewed


@pytest.mark.parametrize(
    ("seeded", "met"),
    [
        (user(8, "ada@x.test"), "user 7 with that address"),
        (user(7, "other@x.test"), "user 7 with the id 7"),
        (user(501, "other@x.test"), "user 7 with the id 501"),
        (user(8, "other@x.test", client=client(501)), "user 7 with the id 501"),
        (user(8, "other@x.test", client=client(7)), "user 7 with the id 7"),
        (user(8, "other@x.test", client=client(8)), "user 8 with the id 8"),
        (user(9, "bea@x.test"), "user 6 with that address"),
    ],
)
async def test_a_seed_never_takes_the_place_of_another(
    store: Store, seeded: User, met: str
) -> None:
    there = user(7, "ada@x.test", client=client(501))
    await store.seed([there], [], public=False)
    with pytest.raises(StoreError, match=met):
        await store.seed([user(6, "bea@x.test"), seeded], [session("t", 6)], public=False)
    found = await everything(store, [user(6, "bea@x.test")], [session("t", 6)])
    assert found == ([None], [None], [None], (), 1)


async def test_an_id_that_was_seeded_is_never_given_out(store: Store) -> None:
    await store.seed([user(1001, "a@x.test", client=client(1003))], [], public=False)
    made = await register_client(store, about_to_register("ada@x.test"), None)
    assert made.client is not None
    assert {made.id, made.client.id}.isdisjoint({1001, 1003})


async def test_ids_that_seeds_may_use_are_never_given_out(store: Store) -> None:
    assert (await register_client(store, about_to_register("ada@x.test"), None)).id > 1000


names = st.lists(st.sampled_from("abcd"), max_size=12)


@settings(max_examples=15)
@given(added=names, removed=names)
async def test_what_was_stored_is_there_when_it_is_opened_again(
    opening: Opening, added: list[str], removed: list[str]
) -> None:
    store, users, sessions = await opening(), [], []
    for name in added:
        email = f"{name}@x.test"
        owner = await store.user_by_email(email)
        if owner is None:
            users.append(await register_client(store, about_to_register(email), None))
            sessions.append(session(name, users[-1].id))
            await store.put_session(sessions[-1])
            await store.add_mail(mail(email))
    for name in removed:
        owner = await store.user_by_email(f"{name}@x.test")
        if owner is not None:
            await store.remove_client(owner, None)
    before = await everything(store, users, sessions)
    await store.close()
    store = await opening()
    after = await everything(store, users, sessions)
    await store.close()
    assert after == before


async def test_everybody_is_listed_by_id(store: Store) -> None:
    people = [user(9, "c@x.test"), user(7, "a@x.test"), user(8, "b@x.test")]
    await store.seed(people, [session("t", 7), session("u", 8)], public=False)
    assert [each.id for each in await store.users()] == [7, 8, 9]
    assert {each.user_id for each in await store.sessions()} == {7, 8}


async def test_who_is_removed_leaves_with_their_sessions(store: Store) -> None:
    stays, goes = user(7, "a@x.test"), user(8, "b@x.test")
    kept, ended, named = session("t", 7), session("u", 8), session("v", 7)
    await store.seed([stays, goes], [kept, ended, named], public=False)
    await store.add_mail(mail("a@x.test"))
    await store.remove([8, 99], [named.digest, "no digest"])
    found = await everything(store, [stays, goes], [kept, ended, named])
    assert found == ([stays, None], [stays, None], [kept, None, None], (mail("a@x.test"),), 0)


async def test_a_removal_names_users_and_sessions_any_number_of_times(store: Store) -> None:
    goes, ended = user(8, "b@x.test"), session("t", 7)
    await store.seed([user(7, "a@x.test"), goes], [ended, session("u", 8)], public=False)
    await store.remove([8, 8], [ended.digest, ended.digest])
    assert [each.id for each in await store.users()] == [7]
    assert await store.sessions() == ()


async def test_mails_are_removed_all_at_once(store: Store) -> None:
    for _ in range(2):
        await store.add_mail(mail("a@x.test"))
        await store.add_mail(mail("b@x.test"))
        assert len(await store.mails()) == 2
        await store.remove(mails=True)
        assert await store.mails() == ()
