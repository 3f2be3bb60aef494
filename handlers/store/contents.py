"""The contents of a data file: records in tables, their checks, and their indexes in memory."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clients_register.handlers.models import Mail, Session, User
from clients_register.handlers.store.base import LAST_SEEDED_ID
from clients_register.handlers.store.codec import (
    Change,
    Key,
    Misfit,
    Record,
    decode_record,
    is_digest,
    is_number,
)

FORMAT = "clients-register"
VERSION = 2

# The number of hex digits of its digest that make up the document number of a session.
DIGITS = 15


class ForeignFile(ValueError):
    """The file does not belong to this program."""


class OtherVersion(ValueError):
    """The file has another version of the format; the message is the version."""


@dataclass(slots=True)
class Contents:
    """The records of a store: users and mails by number, sessions by digest.

    `public` if their passwords and tokens are published.
    """

    public: bool = False
    users: dict[int, User] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    mails: dict[int, Mail] = field(default_factory=dict)

    def copy(self) -> "Contents":
        """Returns a copy whose tables do not change with these."""
        return Contents(self.public, {**self.users}, {**self.sessions}, {**self.mails})

    def apply(self, change: Change) -> None:
        """Applies `change`. Raises Misfit if it removes a record that does not exist."""
        if change.public is not None:
            self.public = change.public
        _apply(change.users, self.users, "users")
        _apply(change.sessions, self.sessions, "sessions")
        _apply(change.mails, self.mails, "outbox")

    def check(self) -> None:
        """Raises Misfit if records contradict each other."""
        for session in self.sessions.values():
            if session.user_id not in self.users:
                where = f"sessions.{document_number(session)}.user_id"
                raise Misfit(f"{where}: expected the id of a user, found another")
        clients = [user.client.id for user in self.users.values() if user.client is not None]
        _check_unique([*self.users, *clients], "id")
        _check_unique([user.email_key for user in self.users.values()], "email_key")


class IndexedContents:
    """Contents with indexes. Only durable changes are applied to them."""

    def __init__(self, contents: Contents) -> None:
        """`contents` must not be changed elsewhere."""
        self.contents = contents
        self._by_email = {user.email_key: user.id for user in contents.users.values()}
        self._digests: dict[int, set[str]] = {}
        for session in contents.sessions.values():
            self._digests.setdefault(session.user_id, set()).add(session.digest)
        self.client_count = sum(user.client is not None for user in contents.users.values())

    def user(self, user_id: int) -> User | None:
        """Returns the user with that id."""
        return self.contents.users.get(user_id)

    def user_by_email(self, email_key: str) -> User | None:
        """Returns the user with that address."""
        user_id = self._by_email.get(email_key)
        return None if user_id is None else self.contents.users[user_id]

    def digests_of_user(self, user_id: int) -> Iterable[str]:
        """Returns the digests of the user's sessions."""
        return self._digests.get(user_id, ())

    def mails(self) -> Sequence[Mail]:
        """Returns all mails, oldest first."""
        return tuple(self.contents.mails[number] for number in sorted(self.contents.mails))

    def last_id(self) -> int:
        """Returns the highest id in use, or the last one reserved for seeds."""
        numbers = [LAST_SEEDED_ID, *self.contents.users]
        clients = [user.client.id for user in self.contents.users.values() if user.client]
        return max([*numbers, *clients])

    def last_mail_number(self) -> int:
        """Returns the number of the latest mail; 0 if there is none."""
        return max(self.contents.mails, default=0)

    def apply(self, change: Change) -> None:
        """Applies `change`, which must not remove a record that does not exist."""
        if change.public is not None:
            self.contents.public = change.public
        for number, user in change.users.items():
            self._put_user(number, user)
        for digest, session in change.sessions.items():
            self._put_session(digest, session)
        for number, mail in change.mails.items():
            if mail is None:
                del self.contents.mails[number]
            else:
                self.contents.mails[number] = mail

    def _put_user(self, number: int, user: User | None) -> None:
        before = self.contents.users.get(number)
        if before is not None:
            del self._by_email[before.email_key]
            self.client_count -= before.client is not None
        if user is None:
            del self.contents.users[number]
            return
        self.contents.users[number] = user
        self._by_email[user.email_key] = number
        self.client_count += user.client is not None

    def _put_session(self, digest: str, session: Session | None) -> None:
        before = self.contents.sessions.get(digest)
        if before is not None:
            owned = self._digests[before.user_id]
            owned.discard(digest)
            if not owned:
                del self._digests[before.user_id]
        if session is None:
            del self.contents.sessions[digest]
            return
        self.contents.sessions[digest] = session
        self._digests.setdefault(session.user_id, set()).add(digest)


class Table(Mapping[str, User | Session | Mail]):
    """A view of records by number as text, which JSON requires, without copying them."""

    def __init__(self, records: Mapping[int, User] | Mapping[int, Session] | Mapping[int, Mail]):
        self._records = records

    def __getitem__(self, number: str) -> User | Session | Mail:
        return self._records[int(number)]

    def __iter__(self) -> Iterator[str]:
        return map(str, self._records)

    def __len__(self) -> int:
        return len(self._records)


def document_number(session: Session) -> int:
    """Returns the number of the document of `session`."""
    return int(session.digest[:DIGITS], 16)


def encode_tables(contents: Contents, generation: int) -> dict[str, Mapping[str, Any]]:
    """Returns the tables of a file with these contents."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "public": contents.public,
        "generation": generation,
    }
    return {
        "meta": {"1": head},
        "users": Table(contents.users),
        "sessions": Table({document_number(each): each for each in contents.sessions.values()}),
        "outbox": Table(contents.mails),
    }


def decode_tables(tables: Any) -> tuple[Contents, int]:
    """Decodes and checks the tables of a file; returns its contents and their generation.

    Raises ForeignFile, OtherVersion, Misfit.
    """
    public, generation = _decode_head(tables)
    users = _decode_records(tables, "users", User)
    sessions = _decode_records(tables, "sessions", Session)
    mails = _decode_records(tables, "outbox", Mail)
    for number, user in users.items():
        if user.id != number:
            raise Misfit(f"users.{number}.id: expected the number of the record, found another")
    for number, session in sessions.items():
        if not is_digest(session.digest) or document_number(session) != number:
            raise Misfit(
                f"sessions.{number}.digest: expected a SHA-256 with that number, found another"
            )
    contents = Contents(public, users, {each.digest: each for each in sessions.values()}, mails)
    contents.check()
    return contents, generation


def _decode_head(tables: Any) -> tuple[bool, int]:
    try:
        found = tables["meta"]["1"]
        if found["format"] != FORMAT:
            raise ForeignFile
    except (KeyError, TypeError, IndexError):
        raise ForeignFile from None
    version, public, generation = map(found.get, ("version", "public", "generation"))
    if type(version) is not int or version != VERSION:
        raise OtherVersion(repr(version))
    if not isinstance(public, bool):
        raise Misfit("meta.1.public: expected a boolean, found something else")
    if type(generation) is not int or not is_number(str(generation)):
        raise Misfit("meta.1.generation: expected a positive integer, found something else")
    return public, generation


def _decode_records(tables: Mapping[str, Any], name: str, kind: type[Record]) -> dict[int, Record]:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise Misfit(f"{name}: expected an object of records, found none")
    if not all(map(is_number, table)):
        raise Misfit(f"{name}: expected records with numbers for names, found another name")
    return {
        int(number): decode_record(kind, document, f"{name}.{number}")
        for number, document in table.items()
    }


def _check_unique(values: Sequence[object], name: str) -> None:
    if len(set(values)) < len(values):
        repeated = sum(times > 1 for times in Counter(values).values())
        raise Misfit(f"users: expected each {name} once, found {repeated} more than once")


def _apply(change: Mapping[Key, Record | None], table: dict[Key, Record], name: str) -> None:
    for key, record in change.items():
        if record is not None:
            table[key] = record
        elif table.pop(key, None) is None:
            raise Misfit(f"{name}: expected a record to remove, found none")
