"""Passwords: which can be hashed without loss; hashing does not delay other requests."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator

import bcrypt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.limits import LIMIT
from support.live import Live
from support.store import text_of

from clients_register.handlers.passwords import PasswordHasher, password_problem

TOO_LONG = [{"attr": "client.password", "message": "too_long"}]

# Lone surrogates included: nothing sends them here, and nothing would crash if it did.
texts = st.text(st.characters(exclude_characters="\0", categories=None), max_size=80)


@pytest.fixture
def passwords() -> Iterator[PasswordHasher]:
    """At the lowest cost there is."""
    passwords = PasswordHasher(4)
    yield passwords
    asyncio.run(passwords.close())


@pytest.mark.parametrize("character", ["a", "é", "€", "\N{GRINNING FACE}"])
def test_the_limit_is_72_bytes_of_utf_8(character: str) -> None:
    fitting = 72 // len(character.encode())
    assert password_problem(character * fitting) is None
    assert password_problem(character * fitting + "x") == "too_long"


@given(texts)
def test_bytes_count_and_not_characters(password: str) -> None:
    size = len(password.encode("utf-8", "surrogatepass"))
    assert password_problem(password) == ("too_long" if size > 72 else None)


@given(texts, texts)
def test_nul_is_malformed_however_long_the_rest_is(before: str, after: str) -> None:
    assert password_problem(f"{before}\0{after}") == "malformed"


@settings(max_examples=30)
@given(password=texts)
@example(password="x" * 72)
@example(password="\ud800")
async def test_what_has_no_fault_is_hashed_and_matches(
    passwords: PasswordHasher, password: str
) -> None:
    if password_problem(password) is None:
        hashed = await passwords.hash(password)
        assert await passwords.verify(password, hashed)
        assert not await passwords.verify(password + "x", hashed)


@pytest.mark.parametrize("password", ["x" * 73, "x" * 72 + "\0", "\0", "é" * 37, "\ud800" * 25])
async def test_what_cannot_be_hashed_matches_nothing(
    passwords: PasswordHasher, password: str
) -> None:
    hashed = await passwords.hash("x" * 72)
    assert not await passwords.verify(password, hashed)


@pytest.mark.parametrize("cost", [4, 5])
async def test_the_cost_is_the_one_asked_for(cost: int) -> None:
    passwords = PasswordHasher(cost)
    assert (await passwords.hash("password")).startswith(f"$2b$0{cost}$")
    await passwords.close()


async def test_two_hashes_of_one_password_differ(passwords: PasswordHasher) -> None:
    assert await passwords.hash("password") != await passwords.hash("password")


@pytest.mark.parametrize("name", ["hash", "match"])
async def test_the_event_loop_goes_on_meanwhile(
    passwords: PasswordHasher, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    real, looped, names = bcrypt.hashpw, threading.Event(), []
    hashed = await passwords.hash("password")

    def held(*arguments: bytes) -> bytes:
        names.append(threading.current_thread().name)
        assert looped.wait(timeout=LIMIT), "the loop stood still"
        return real(*arguments)

    monkeypatch.setattr(bcrypt, "hashpw", held)
    work = passwords.hash("password") if name == "hash" else passwords.verify("password", hashed)
    task: asyncio.Future[object] = asyncio.ensure_future(work)
    # The loop takes turns: had the hashing been its own, this would come after it.
    await asyncio.sleep(0)
    looped.set()
    assert await task
    assert [thread.startswith("bcrypt") for thread in names] == [True]


def test_a_password_is_stored_at_the_cost_of_the_setting(
    start: Callable[..., Live], email: str
) -> None:
    live = start(bcrypt_cost=5)
    assert live.register(email)["code"] == 200
    content = text_of(live.settings)
    assert re.search(rf'"{re.escape(email)}".*"\$2b\$05\$', content)


@pytest.mark.parametrize("password", ["x" * 73, "é" * 37, "\N{GRINNING FACE}" * 18 + "x"])
def test_a_password_over_the_limit_is_a_fault(shared: Live, email: str, password: str) -> None:
    envelope = shared.register(email, client={"password": password})
    assert (envelope["status"], envelope["errors"]) == ("client-validation-failed", TOO_LONG)


@pytest.mark.parametrize("password", ["x" * 72, "é" * 36, "\N{GRINNING FACE}" * 18, "x"])
def test_a_password_up_to_the_limit_is_none(shared: Live, email: str, password: str) -> None:
    assert shared.register(email, client={"password": password})["code"] == 200


def test_a_password_with_nul_is_malformed(shared: Live, email: str) -> None:
    envelope = shared.register(email, client={"password": "a\0b" + "x" * 80})
    assert envelope["errors"] == [{"attr": "client.password", "message": "malformed"}]
