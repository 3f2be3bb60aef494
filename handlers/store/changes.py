"""What one write changes, whole or not at all, and how a line of the journal says it."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from clients_register.handlers.encoding import encoded
from clients_register.handlers.records import Mail, Session, User
from clients_register.handlers.store.contents import Contents, is_digest, is_number
from clients_register.handlers.store.documents import (
    Misfit,
    Record,
    record_of,
    record_or_members,
)

Key = TypeVar("Key", int, str)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to stand in each table from now on, None where nothing is.

    Users and mails by number, sessions by digest; `public` is None where it stays as it is.
    """

    public: bool | None = None
    users: Mapping[int, User | None] = field(default_factory=dict)
    sessions: Mapping[str, Session | None] = field(default_factory=dict)
    mails: Mapping[int, Mail | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return self.public is not None or bool(self.users or self.sessions or self.mails)


def written(change: Change) -> bytes:
    """`change` as JSON on one line, without what stays as it is."""
    whole = {
        "public": change.public,
        "users": {str(number): user for number, user in change.users.items()},
        "sessions": change.sessions,
        "outbox": {str(number): mail for number, mail in change.mails.items()},
    }
    return encoded({name: part for name, part in whole.items() if part not in (None, {})})


def read(array: bytes) -> Iterator[Change]:
    """The changes in a JSON array of what `written` wrote. Raises ValueError."""
    return map(_change, json.loads(array, object_pairs_hook=record_or_members))


def replay(change: Change, contents: Contents) -> None:
    """Makes `change` in `contents`. Raises Misfit where it removes what is not there."""
    if change.public is not None:
        contents.public = change.public
    _put(change.users, contents.users, "users")
    _put(change.sessions, contents.sessions, "sessions")
    _put(change.mails, contents.mails, "outbox")


def _change(found: Any) -> Change:
    if type(found) is not dict or found.keys() - {"public", "users", "sessions", "outbox"}:
        raise Misfit("expected a change of users, sessions and outbox, found something else")
    public = found.get("public")
    if public is not None and type(public) is not bool:
        raise Misfit("public: expected true or false, found neither")
    change = Change(
        public,
        users=_records(found, "users", User, _number),
        sessions=_records(found, "sessions", Session, _digest),
        mails=_records(found, "outbox", Mail, _number),
    )
    if any(user and user.id != number for number, user in change.users.items()):
        raise Misfit("users: expected records under their ids, found another")
    if any(session and session.digest != digest for digest, session in change.sessions.items()):
        raise Misfit("sessions: expected records under their digests, found another")
    return change


def _records(
    found: Mapping[str, Any], name: str, kind: type[Record], key_of: Callable[[str, str], Key]
) -> dict[Key, Record | None]:
    table = found.get(name, {})
    if type(table) is not dict:
        raise Misfit(f"{name}: expected an object of records, found none")
    return {
        key_of(key, name): None if document is None else record_of(kind, document, f"{name}.{key}")
        for key, document in table.items()
    }


def _number(key: str, name: str) -> int:
    if not is_number(key):
        raise Misfit(f"{name}: expected records with numbers for names, found another name")
    return int(key)


def _digest(key: str, name: str) -> str:
    if not is_digest(key):
        raise Misfit(f"{name}: expected records with a SHA-256 for a name, found another name")
    return key


def _put(change: Mapping[Key, Record | None], table: dict[Key, Record], name: str) -> None:
    for key, record in change.items():
        if record is not None:
            table[key] = record
        elif table.pop(key, None) is None:
            raise Misfit(f"{name}: expected a record to remove, found none")
