"""What a data file holds: records in tables, and whose it is. Nothing is believed unchecked."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clients_register.handlers.records import Mail, Session, User
from clients_register.handlers.store.documents import Document, Misfit, Record, record_of

FORMAT = "clients-register"
VERSION = 1

# TinyDB numbers its documents and a session is found by its digest: the first digits do for both.
DIGITS = 15


class Foreign(ValueError):
    """The file is no store of this program."""


class OtherVersion(ValueError):
    """The file is a store of this program in another version; the message is the version."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The records of a file. `public`: passwords and tokens in it are known to anybody.

    Users and mails by number, sessions by digest.
    """

    public: bool = False
    users: dict[int, User] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    mails: dict[int, Mail] = field(default_factory=dict)


def head(*, public: bool) -> Document:
    """The document that says whose file this is."""
    return {"format": FORMAT, "version": VERSION, "public": public}


def number_of(session: Session) -> int:
    """The number of the document of `session`."""
    return int(session.digest[:DIGITS], 16)


def contents_of(tables: Any) -> Contents:
    """The contents of a file whose JSON is `tables`. Raises Foreign, OtherVersion, Misfit."""
    public = _is_public(tables)
    users = _records(tables, "users", User)
    sessions = _records(tables, "sessions", Session)
    mails = _records(tables, "outbox", Mail)
    for number, user in users.items():
        if user.id != number:
            raise Misfit(f"users.{number}.id: expected the number of the record, found another")
    for number, session in sessions.items():
        if re.fullmatch(r"[0-9a-f]{64}", session.digest) is None or number_of(session) != number:
            raise Misfit(f"sessions.{number}.digest: expected a SHA-256 of that number, found none")
        if session.user_id not in users:
            raise Misfit(f"sessions.{number}.user_id: expected a user's id, found nobody's")
    clients = [user.client for user in users.values() if user.client is not None]
    _expect_distinct([*users, *(client.id for client in clients)], "id")
    _expect_distinct((user.email_key for user in users.values()), "email_key")
    return Contents(public, users, {each.digest: each for each in sessions.values()}, mails)


def _is_public(tables: Any) -> bool:
    try:
        found = tables["meta"]["1"]
        if found["format"] != FORMAT:
            raise Foreign
    except (KeyError, TypeError, IndexError):
        raise Foreign from None
    version, public = found.get("version"), found.get("public")
    if type(version) is not int or version != VERSION:
        raise OtherVersion(repr(version))
    if not isinstance(public, bool):
        raise Misfit("meta.1.public: expected true or false, found neither")
    return public


def _records(tables: Mapping[str, Any], name: str, kind: type[Record]) -> dict[int, Record]:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise Misfit(f"{name}: expected an object of records, found none")
    if any(re.fullmatch(r"[1-9][0-9]{0,18}", number) is None for number in table):
        raise Misfit(f"{name}: expected records with numbers for names, found another name")
    return {
        int(number): record_of(kind, document, f"{name}.{number}")
        for number, document in table.items()
    }


def _expect_distinct(values: Iterable[object], name: str) -> None:
    doubled = sum(times > 1 for times in Counter(values).values())
    if doubled:
        raise Misfit(f"users: expected each {name} once, found {doubled} of them twice")
