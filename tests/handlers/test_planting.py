"""A seed put into a store: at the first start, at the next one, and where others were faster."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml
from support.live import START, Live, SettableClock
from support.records import HASH, about_to_register, register_client
from support.store import text_of

from clients_register.handlers.passwords import PasswordHasher
from clients_register.handlers.seed import load_seed
from clients_register.handlers.sessions import token_digest
from clients_register.handlers.store.base import Store, StoreError

PEOPLE = {
    "users": [
        {"id": 1, "email": "password@x.test", "password": "of one"},
        {"id": 2, "email": "hash@x.test", "password_hash": HASH, "roles": ["liaison"]},
        {"id": 3, "email": "neither@x.test", "client": {"id": 9, "first_name": "Three"}},
    ],
    "sessions": [
        {"token": "t", "user": 1, "application": "planoauth", "age_hours": 3, "idle_hours": 0.0001}
    ],
}

Plant = Callable[[], Awaitable[None]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "seed.yaml"
    path.write_text(yaml.safe_dump(PEOPLE), "utf-8")
    return path


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def plant(path: Path, store: Store, clock: SettableClock) -> Plant:
    """A function that seeds the store, as each start of a server does."""

    async def plant() -> None:
        passwords = PasswordHasher(4)
        try:
            await load_seed(path, reference=False).plant(store, clock, passwords)
        finally:
            await passwords.close()

    return plant


async def test_a_password_is_hashed_and_a_hash_is_taken(store: Store, plant: Plant) -> None:
    await plant()
    hashes = [user.password_hash for number in (1, 2, 3) if (user := await store.user(number))]
    assert hashes[0] is not None
    assert re.match(r"\$2b\$04\$", hashes[0])
    assert hashes[1:] == [HASH, None]


async def test_who_is_there_is_not_hashed_again(
    store: Store, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant()
    monkeypatch.delattr(bcrypt, "hashpw")
    await plant()


async def test_times_count_back_from_now_in_milliseconds(store: Store, plant: Plant) -> None:
    await plant()
    session = await store.session(token_digest("t"))
    assert session is not None
    assert START - session.created_at == timedelta(hours=3)
    assert START - session.last_used_at == timedelta(milliseconds=360)


async def test_at_the_next_start_the_times_count_back_from_then(
    store: Store, plant: Plant, clock: SettableClock
) -> None:
    await plant()
    clock.advance(days=30)
    await plant()
    session = await store.session(token_digest("t"))
    assert session is not None
    assert clock.now() - session.created_at == timedelta(hours=3)


async def test_at_the_next_start_a_user_who_became_a_client_still_is_one(
    store: Store, plant: Plant
) -> None:
    await plant()
    liaison = await store.user(2)
    made = await register_client(store, about_to_register("hash@x.test"), liaison)
    await plant()
    assert await store.user(2) == made


async def test_a_seed_does_not_take_the_address_of_who_registered_it(
    store: Store, plant: Plant
) -> None:
    made = await register_client(store, about_to_register("hash@x.test"), None)
    with pytest.raises(StoreError, match=rf"seed's user 2 \(hash@x.test\).*found user {made.id}"):
        await plant()
    assert await store.user_by_email("hash@x.test") == made
    assert await store.user(1) is None, "nobody of the seed was added"


def test_a_server_starts_again_with_the_data_it_left(
    start: Callable[..., Live], tmp_path: Path, path: Path
) -> None:
    settings: dict[str, Any] = {"data": tmp_path / "kept.json", "seed": path}
    first = start(**settings)
    answer = first.register("password@x.test", client={"password": "of one"})
    assert answer["status"] == "action-successful"
    first.__exit__()
    second = start(**settings)
    assert second.register("password@x.test")["status"] == "email-already-registered"
    assert second.register("new@x.test", token="t")["code"] == 200
    assert second.register("newer@x.test", token=answer["session"]["token"])["code"] == 200


def test_a_server_does_not_start_where_a_seed_meets_somebody(
    start: Callable[..., Live], tmp_path: Path, path: Path
) -> None:
    data, nobody = tmp_path / "kept.json", tmp_path / "nobody.yaml"
    nobody.write_text("users: []")
    first = start(data=data, seed=nobody)
    first.register("hash@x.test")
    first.__exit__()
    content = text_of(first.settings)
    with pytest.raises(StoreError, match="user 2"):
        start(data=data, seed=path)
    assert text_of(first.settings) == content
