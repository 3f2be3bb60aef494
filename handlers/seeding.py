"""The world a server starts from: the built-in fixtures, and what `--seed FILE` has instead.

A section that the file names stands in place of the built-in section of that name. Users, sessions
and application tokens are built in for the stub only: a reference server starts without anybody
whose password or token is printed in a document.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from clients_register.handlers.clock import Clock
from clients_register.handlers.emails import key_of
from clients_register.handlers.passwords import Passwords
from clients_register.handlers.records import Client, Session, User
from clients_register.handlers.registry import Registry
from clients_register.handlers.seedfile import SeedFault, builtin, read
from clients_register.handlers.seedlinks import Sections, merged
from clients_register.handlers.sessions import digest_of
from clients_register.handlers.store import Store

WORLD = ("services", "applications", "companies", "personas")
PUBLIC = ("users", "sessions", "application_tokens")


class SeedError(ValueError):
    """A seed cannot be used; the message says where, what was expected, found, and what to do."""


@dataclass(frozen=True, slots=True)
class Seed:
    """The sections of a seed, checked. `public`: built-in users or sessions are among them."""

    sections: Sections
    public: bool

    def registry(self) -> Registry:
        """The records that requests are looked up in."""
        return Registry(
            applications={entry["slug"]: entry["name"] for entry in self.sections["applications"]},
            companies=frozenset(entry["id"] for entry in self.sections["companies"]),
            application_tokens=frozenset(
                digest_of(entry["token"]) for entry in self.sections["application_tokens"]
            ),
            services={
                entry["service"]: frozenset(entry["actions"]) for entry in self.sections["services"]
            },
        )

    def only(self, persona: str) -> "Seed":
        """This seed with one user, the one of that name, and their sessions."""
        users = [user for user in self.sections["users"] if user.get("persona") == persona]
        ids = {user["id"] for user in users}
        sessions = [entry for entry in self.sections["sessions"] if entry["user"] in ids]
        return replace(self, sections={**self.sections, "users": users, "sessions": sessions})

    async def plant(self, store: Store, clock: Clock, passwords: Passwords) -> None:
        """Adds the users that are not in the store yet, and renews the sessions' times.

        Raises StoreError where one of them would stand in the place of another user.
        """
        hashes = await asyncio.gather(
            *(_password_hash(entry, store, passwords) for entry in self.sections["users"])
        )
        users = [
            _user(entry, hashed, clock)
            for entry, hashed in zip(self.sections["users"], hashes, strict=True)
        ]
        sessions = [_session(entry, clock) for entry in self.sections["sessions"]]
        if users or sessions:
            await store.seed(users, sessions, public=self.public)


def load(path: Path | None, *, reference: bool) -> Seed:
    """The built-in seed, with the sections of the file at `path`. Raises SeedError."""
    given: dict[str, Any] = {}
    for name in WORLD:
        given |= builtin(name)
    if reference:
        given |= {section: [] for section in PUBLIC}
    try:
        own = {} if path is None else read(path)
        sections = merged(given, own)
    except OSError as error:
        raise SeedError(
            f"the seed {path} cannot be read: {error.strerror}; name a file that can with --seed"
        ) from None
    except SeedFault as fault:
        raise SeedError(f"the seed {path or 'built in'}, {fault}") from None
    # The tokens of applications are not stored, so nothing of theirs stays in the data.
    return Seed(sections, public=any(sections[s] for s in ("users", "sessions") if s not in own))


async def _password_hash(
    entry: Mapping[str, Any], store: Store, passwords: Passwords
) -> str | None:
    """The hash to store for the user of `entry`. One who is stored keeps what they have."""
    if "password_hash" in entry:
        hashed: str = entry["password_hash"]
        return hashed
    if "password" not in entry or await store.user(entry["id"]) is not None:
        return None
    return await passwords.hash(entry["password"])


def _user(entry: Mapping[str, Any], password_hash: str | None, clock: Clock) -> User:
    key = key_of(entry["email"])
    assert key is not None, "addresses were checked when the seed was loaded"
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


def _session(entry: Mapping[str, Any], clock: Clock) -> Session:
    now = clock.now()
    return Session(
        digest=digest_of(entry["token"]),
        user_id=entry["user"],
        application=entry["application"],
        remember_me=entry.get("remember_me", False),
        created_at=now - _hours(entry["age_hours"]),
        last_used_at=now - _hours(entry["idle_hours"]),
    )


def _hours(number: float) -> timedelta:
    # Times are whole milliseconds everywhere.
    return timedelta(milliseconds=round(number * 3_600_000))
