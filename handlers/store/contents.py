"""What a data file holds: records in tables, and whose it is. Nothing is believed unchecked."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clients_register.handlers.records import Mail, Session, User
from clients_register.handlers.store.documents import Misfit, Record, record_of

FORMAT = "clients-register"
VERSION = 2

# TinyDB numbers its documents and a session is found by its digest: the first digits do for both.
DIGITS = 15

_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_SHA_256 = re.compile(r"[0-9a-f]{64}")


class Foreign(ValueError):
    """The file is no store of this program."""


class OtherVersion(ValueError):
    """The file is a store of this program in another version; the message is the version."""


@dataclass(slots=True)
class Contents:
    """The records of a store. `public`: passwords and tokens in it are known to anybody.

    Users and mails by number, sessions by digest.
    """

    public: bool = False
    users: dict[int, User] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    mails: dict[int, Mail] = field(default_factory=dict)

    def copied(self) -> "Contents":
        """The same records, in tables that do not change with these."""
        return Contents(self.public, {**self.users}, {**self.sessions}, {**self.mails})

    def check(self) -> None:
        """Raises Misfit where records contradict each other."""
        for session in self.sessions.values():
            if session.user_id not in self.users:
                where = f"sessions.{number_of(session)}.user_id"
                raise Misfit(f"{where}: expected a user's id, found nobody's")
        clients = [user.client.id for user in self.users.values() if user.client is not None]
        _expect_distinct([*self.users, *clients], "id")
        _expect_distinct([user.email_key for user in self.users.values()], "email_key")


class Table(Mapping[str, User | Session | Mail]):
    """Records by their numbers in text, as JSON has names, without a second table of them."""

    def __init__(self, records: Mapping[int, User] | Mapping[int, Session] | Mapping[int, Mail]):
        self._records = records

    def __getitem__(self, number: str) -> User | Session | Mail:
        return self._records[int(number)]

    def __iter__(self) -> Iterator[str]:
        return map(str, self._records)

    def __len__(self) -> int:
        return len(self._records)


def number_of(session: Session) -> int:
    """The number of the document of `session`."""
    return int(session.digest[:DIGITS], 16)


def tables_of(contents: Contents, generation: int) -> dict[str, Mapping[str, Any]]:
    """What stands in a file that has `contents`."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "public": contents.public,
        "generation": generation,
    }
    return {
        "meta": {"1": head},
        "users": Table(contents.users),
        "sessions": Table({number_of(each): each for each in contents.sessions.values()}),
        "outbox": Table(contents.mails),
    }


def contents_of(tables: Any) -> tuple[Contents, int]:
    """The contents of a file whose JSON is `tables`, and their generation.

    Raises Foreign, OtherVersion, Misfit.
    """
    public, generation = _head(tables)
    users = _records(tables, "users", User)
    sessions = _records(tables, "sessions", Session)
    mails = _records(tables, "outbox", Mail)
    for number, user in users.items():
        if user.id != number:
            raise Misfit(f"users.{number}.id: expected the number of the record, found another")
    for number, session in sessions.items():
        if not is_digest(session.digest) or number_of(session) != number:
            raise Misfit(f"sessions.{number}.digest: expected a SHA-256 of that number, found none")
    contents = Contents(public, users, {each.digest: each for each in sessions.values()}, mails)
    contents.check()
    return contents, generation


def is_digest(text: str) -> bool:
    """Whether `text` is a SHA-256 in hex."""
    return _SHA_256.fullmatch(text) is not None


def is_number(name: str) -> bool:
    """Whether `name` is a number that a document can have."""
    return _NUMBER.fullmatch(name) is not None


def _head(tables: Any) -> tuple[bool, int]:
    try:
        found = tables["meta"]["1"]
        if found["format"] != FORMAT:
            raise Foreign
    except (KeyError, TypeError, IndexError):
        raise Foreign from None
    version, public, generation = map(found.get, ("version", "public", "generation"))
    if type(version) is not int or version != VERSION:
        raise OtherVersion(repr(version))
    if not isinstance(public, bool):
        raise Misfit("meta.1.public: expected true or false, found neither")
    if type(generation) is not int or not is_number(str(generation)):
        raise Misfit("meta.1.generation: expected a number from 1 on, found none")
    return public, generation


def _records(tables: Mapping[str, Any], name: str, kind: type[Record]) -> dict[int, Record]:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise Misfit(f"{name}: expected an object of records, found none")
    if not all(map(is_number, table)):
        raise Misfit(f"{name}: expected records with numbers for names, found another name")
    return {
        int(number): record_of(kind, document, f"{name}.{number}")
        for number, document in table.items()
    }


def _expect_distinct(values: Sequence[object], name: str) -> None:
    if len(set(values)) < len(values):
        doubled = sum(times > 1 for times in Counter(values).values())
        raise Misfit(f"users: expected each {name} once, found {doubled} of them twice")
