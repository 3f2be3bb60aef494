"""The world a server starts from: the built-in fixtures, and what `--seed FILE` puts in their place.

A section that the file names stands in place of the built-in section of that name. Users, sessions
and application tokens are built in for the stub only: a reference server starts without anybody
whose password or token is printed in a document.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from clients_register import fixtures
from clients_register.handlers.clock import Clock
from clients_register.handlers.emails import key_of
from clients_register.handlers.passwords import Passwords, fault_of
from clients_register.handlers.records import Client, Session, User
from clients_register.handlers.registry import Registry
from clients_register.handlers.sessions import digest_of
from clients_register.handlers.store import Store

PUBLIC = ("users", "sessions", "application_tokens")


class SeedError(ValueError):
    """A seed cannot be used; the message says where, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Seed:
    """The sections of a seed, checked. `public`: built-in users or tokens are among them."""

    sections: Mapping[str, Any]
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

    async def plant(self, store: Store, clock: Clock, passwords: Passwords) -> None:
        """Adds the users that are not in the store yet, and renews the sessions' times."""
        users = [_user(entry, clock, passwords) for entry in self.sections["users"]]
        sessions = [_session(entry, clock) for entry in self.sections["sessions"]]
        if users or sessions:
            await store.seed(users, sessions, public=self.public)


def load(path: Path | None, *, reference: bool) -> Seed:
    """The built-in seed, with the sections of the file at `path`. Raises SeedError."""
    builtin: dict[str, Any] = {}
    for name in ("services", "applications", "companies", "personas"):
        builtin |= yaml.safe_load((files(fixtures) / f"{name}.yaml").read_text("utf-8"))
    if reference:
        builtin |= {section: [] for section in PUBLIC}
    own = {} if path is None else _read(path)
    sections = builtin | own
    _check_references(sections, path)
    public = any(sections[section] for section in PUBLIC if section not in own)
    return Seed(sections, public=public)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise SeedError(f"the seed {path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        found = " ".join(str(error).split())
        raise SeedError(f"the seed {path} is not YAML in UTF-8: {found}") from None
    schema = json.loads((files(fixtures) / "seed.schema.json").read_text("utf-8"))
    for error in sorted(Draft202012Validator(schema).iter_errors(document), key=str):
        where = ".".join(str(step) for step in error.absolute_path) or "the top level"
        # Of a bad entry the message would quote everything, and there are passwords in it.
        expected = (
            error.message
            if error.validator in ("required", "type", "enum")
            else (f"expected {error.validator} {error.validator_value!r}")
        )
        if error.validator == "type":
            expected = f"expected {error.validator_value}"
        if error.validator == "additionalProperties":
            known = ", ".join(error.schema["properties"])
            expected = f"a name that is unknown here; known are {known}"
        raise SeedError(f"the seed {path}, at {where}: {expected}")
    found_sections: dict[str, Any] = document
    return found_sections


def _check_references(sections: Mapping[str, Any], path: Path | None) -> None:
    """What a schema cannot say: ids are distinct and refer to something, addresses are addresses."""
    seed = f"the seed {path}" if path else "the built-in seed"
    users: Sequence[Mapping[str, Any]] = sections["users"]
    ids = [user["id"] for user in users] + [
        user["client"]["id"] for user in users if user.get("client")
    ]
    if doubled := {number for number in ids if ids.count(number) > 1}:
        raise SeedError(
            f"{seed}: each user and client has an id of its own, found twice: {doubled}"
        )
    companies = {entry["id"] for entry in sections["companies"]}
    keys = set()
    for user in users:
        where = f"{seed}, user {user['id']}"
        key = key_of(user["email"])
        if key is None or key in keys:
            found = "is no e-mail address" if key is None else "is another user's too"
            raise SeedError(f"{where}: {user['email']!r} {found}")
        keys.add(key)
        if fault := fault_of(user.get("password", "")):
            raise SeedError(f"{where}: the password cannot be hashed: {fault}")
        company = (user.get("client") or {}).get("company_id")
        if company is not None and company not in companies:
            raise SeedError(f"{where}: there is no company {company}")
    known = {user["id"] for user in users}
    for entry in sections["sessions"]:
        if entry["user"] not in known:
            raise SeedError(f"{seed}, sessions: there is no user {entry['user']}")


def _user(entry: Mapping[str, Any], clock: Clock, passwords: Passwords) -> User:
    hashed = entry.get("password_hash")
    if hashed is None and "password" in entry:
        hashed = passwords.hash_now(entry["password"])
    key = key_of(entry["email"])
    assert key is not None, "addresses were checked when the seed was loaded"
    client = None
    if entry.get("client"):
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
        password_hash=hashed,
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
        created_at=now - timedelta(hours=entry["age_hours"]),
        last_used_at=now - timedelta(hours=entry["idle_hours"]),
    )
