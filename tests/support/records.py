"""Records for tests of the store, valid in every field."""

import hashlib
from datetime import timedelta
from typing import Any

from msgspec.structs import replace
from support.live import START

from clients_register.handlers.models import Client, Mail, Registration, Session, User
from clients_register.handlers.store.base import Commit, PendingRegistration, Store

HASH = "$2b$04$ibkOcb/P3vGEcti0hNhc3.tFkgxXoWnqEwhEkoT/7Qzmxwpvju80G"


def about_to_register(email: str, **changes: Any) -> Registration:
    """A registration of `email`, which is its own key."""
    fields: dict[str, Any] = {
        "email": email,
        "email_key": email,
        "password_hash": HASH,
        "first_name": "Ada",
        "last_name": None,
        "phone": None,
        "company_id": 42,
        "company_name": "Näme \N{GRINNING FACE}",
        "enterprise": False,
        "created_at": START,
    }
    return Registration(**fields | changes)


def user(number: int, email: str, **changes: Any) -> User:
    """A user who is no client."""
    return User(number, email, email, HASH, **changes)


def client(number: int) -> Client:
    """The record of a client of that id."""
    return Client(number, "c@x.test", None, None, None, None, None, True, START)


def session(token: str, user_id: int, **changes: Any) -> Session:
    """A session of a user, an hour old."""
    fields: dict[str, Any] = {
        "digest": hashlib.sha256(token.encode()).hexdigest(),
        "user_id": user_id,
        "application": "planoauth",
        "remember_me": False,
        "created_at": START,
        "last_used_at": START + timedelta(hours=1),
    }
    return Session(**fields | changes)


def mail(recipient: str) -> Mail:
    """A mail to somebody."""
    return Mail(recipient, "from@x.test", "Subject", "Two\nlines", "0123456789abcdef", START)


class Nowhere:
    """Takes the place of a store, and drops what is written after the commit."""

    async def put_session(self, _: Session) -> None: ...

    async def add_mail(self, _: Mail) -> None: ...


def pending_registration(
    commit: Commit | None = None, first_name: str | None = "Ada"
) -> PendingRegistration:
    """A pending registration that belongs to no store; `commit` is called to store it."""

    async def forgotten(*_: object) -> None: ...

    member = user(7, "c@x.test", client=replace(client(8), first_name=first_name))
    return PendingRegistration(member, Nowhere(), commit or forgotten)


async def registered(store: Store, email: str) -> User:
    """Stores a new client with a mail and a session, as the route does; returns their user."""
    async with store.begin_registration(about_to_register(email), None) as pending:
        await pending.add_mail(mail(email))
        await pending.put_session(session(email, pending.user.id))
        await pending.commit()
        return pending.user


async def register_client(store: Store, registration: Registration, before: User | None) -> User:
    """Stores a client alone, without mail and session; returns their user."""
    async with store.begin_registration(registration, before) as pending:
        await pending.commit()
        return pending.user
