"""Every store keeps records as they are, and assigns ids."""

import pytest
from msgspec.structs import replace
from support.records import about_to_register, client, mail, register_client, user

from clients_register.handlers.store.base import Store


@pytest.mark.parametrize("text", ["a\0b", "\u00e9\N{GRINNING FACE}", "", "'; DROP", "\\u0000"])
async def test_a_name_may_have_every_character(store: Store, text: str) -> None:
    made = await register_client(store, about_to_register("ada@x.test", first_name=text), None)
    assert await store.user(made.id) == made
    sent = replace(mail("ada@x.test"), text=text)
    await store.add_mail(sent)
    assert await store.mails() == (sent,)


async def test_a_company_may_have_any_number_for_its_id(store: Store) -> None:
    made = await register_client(store, about_to_register("ada@x.test", company_id=2**70), None)
    assert await store.user(made.id) == made


async def test_a_store_that_is_as_at_the_start_gives_out_the_same_ids(store: Store) -> None:
    there = user(7, "bea@x.test", client=client(8))
    await store.seed([there], [], public=False)
    first = await register_client(store, about_to_register("ada@x.test"), None)
    await store.remove([first.id])
    assert await register_client(store, about_to_register("ada@x.test"), None) == first
