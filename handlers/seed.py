"""The seed: the data a server starts with, from the built-in fixtures and from `--seed FILE`.

A section of the file replaces the built-in section of that name. Built-in users, sessions and
application tokens are for the stub only: their passwords and tokens are published, so a reference
server starts without them.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from clients_register.handlers.decoding import email_key
from clients_register.handlers.models import Client, Clock, Registry, Session, User
from clients_register.handlers.passwords import PasswordHasher
from clients_register.handlers.seed_file import (
    Sections,
    SeedProblem,
    merge,
    read_builtin,
    read_seed_file,
)
from clients_register.handlers.sessions import token_digest
from clients_register.handlers.store.base import Store

BUILTIN_FILES = ("services", "applications", "companies", "personas")
PUBLIC_SECTIONS = ("users", "sessions", "application_tokens")


class SeedError(ValueError):
    """The seed cannot be used; the message says where, what was expected and found, what to do."""


@dataclass(frozen=True, slots=True)
class Seed:
    """The sections of a valid seed. `public` if they include built-in users or sessions."""

    sections: Sections
    public: bool

    def registry(self) -> Registry:
        """Returns the reference data of the seed."""
        return Registry(
            applications={entry["slug"]: entry["name"] for entry in self.sections["applications"]},
            companies=frozenset(entry["id"] for entry in self.sections["companies"]),
            application_tokens=frozenset(
                token_digest(entry["token"]) for entry in self.sections["application_tokens"]
            ),
            services={
                entry["service"]: frozenset(entry["actions"]) for entry in self.sections["services"]
            },
        )

    def only(self, persona: str) -> "Seed":
        """Returns this seed with the user `persona` and their sessions as the only ones."""
        users = [user for user in self.sections["users"] if user.get("persona") == persona]
        ids = {user["id"] for user in users}
        sessions = [entry for entry in self.sections["sessions"] if entry["user"] in ids]
        return replace(self, sections={**self.sections, "users": users, "sessions": sessions})

    async def plant(self, store: Store, clock: Clock, passwords: PasswordHasher) -> None:
        """Adds users that are not in the store yet, and sets the sessions with their times renewed.

        Raises StoreError if an id or an address belongs to another user.
        """
        hashes = await asyncio.gather(
            *(_find_password_hash(entry, store, passwords) for entry in self.sections["users"])
        )
        users = [
            _build_user(entry, hashed, clock)
            for entry, hashed in zip(self.sections["users"], hashes, strict=True)
        ]
        sessions = [_build_session(entry, clock) for entry in self.sections["sessions"]]
        if users or sessions:
            await store.seed(users, sessions, public=self.public)


def load_seed(path: Path | None, *, reference: bool) -> Seed:
    """Loads the built-in seed, and the file at `path` on top. Raises SeedError."""
    builtin: dict[str, Any] = {}
    for name in BUILTIN_FILES:
        builtin |= read_builtin(name)
    if reference:
        builtin |= {section: [] for section in PUBLIC_SECTIONS}
    try:
        own = {} if path is None else read_seed_file(path)
        sections = merge(builtin, own)
    except OSError as error:
        raise SeedError(
            f"the seed {path} cannot be read: {error.strerror}; name a readable file with --seed"
        ) from None
    except SeedProblem as problem:
        raise SeedError(f"the seed {path or 'built in'}, {problem}") from None
    # Application tokens are not stored, so they do not make the stored data public.
    return Seed(sections, public=any(sections[s] for s in ("users", "sessions") if s not in own))


async def _find_password_hash(
    entry: Mapping[str, Any], store: Store, passwords: PasswordHasher
) -> str | None:
    """Returns the password hash for a new user; None if the user is stored or has no password."""
    if "password_hash" in entry:
        hashed: str = entry["password_hash"]
        return hashed
    if "password" not in entry or await store.user(entry["id"]) is not None:
        return None
    return await passwords.hash(entry["password"])


def _build_user(entry: Mapping[str, Any], password_hash: str | None, clock: Clock) -> User:
    key = email_key(entry["email"])
    assert key is not None, "checked when the seed was loaded"
    client = None
    if "client" in entry:
        optional = ("first_name", "last_name", "phone", "company_id", "company_name")
        client = Client(
            id=entry["client"]["id"],
            email=entry["email"],
            enterprise=entry["client"].get("enterprise", False),
            created_at=clock.now(),
            **{field: entry["client"].get(field) for field in optional},
        )
    return User(
        id=entry["id"],
        email=entry["email"],
        email_key=key,
        password_hash=password_hash,
        roles=frozenset(entry.get("roles", ())),
        client=client,
    )


def _build_session(entry: Mapping[str, Any], clock: Clock) -> Session:
    now = clock.now()
    return Session(
        digest=token_digest(entry["token"]),
        user_id=entry["user"],
        application=entry["application"],
        remember_me=entry.get("remember_me", False),
        created_at=now - _to_timedelta(entry["age_hours"]),
        last_used_at=now - _to_timedelta(entry["idle_hours"]),
    )


def _to_timedelta(hours: float) -> timedelta:
    # Times have a resolution of one millisecond.
    return timedelta(milliseconds=round(hours * 3_600_000))
