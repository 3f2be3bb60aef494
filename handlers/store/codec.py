"""Records and changes as JSON. Decoding is strict: any deviation raises Misfit.

The document of a record follows from its fields: times are text, sets are sorted lists, a record
inside another is an object. `models.encode_json` encodes records.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from clients_register.handlers.clock import parse_time
from clients_register.handlers.models import Client, Mail, Session, User, encode_json

Record = TypeVar("Record", Client, User, Session, Mail)
Key = TypeVar("Key", int, str)

KINDS = (Client, User, Session, Mail)

HINTS = {kind: get_type_hints(kind) for kind in KINDS}

NAMES = {
    NoneType: "null",
    bool: "a boolean",
    dict: "an object",
    float: "a number with a fraction",
    int: "an integer",
    list: "an array",
    str: "a string",
    **dict.fromkeys(KINDS, "an object"),
}

_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_SHA_256 = re.compile(r"[0-9a-f]{64}")


class Misfit(ValueError):
    """A document does not match its record.

    The message says where, what was expected and what was found. It quotes no value, because values
    include password hashes.
    """


def decode_record(kind: type[Record], document: object, where: str) -> Record:
    """Decodes a record of type `kind`. Raises Misfit, which names `where`."""
    if type(document) is kind:
        return document
    members = _expect(dict, document, where)
    expected = HINTS[kind]
    if unexpected := sorted(members.keys() ^ expected.keys()):
        found = "found it" if unexpected[0] in members else "found none"
        wanted = "no" if unexpected[0] in members else "a"
        raise Misfit(f"{where}: expected {wanted} member {unexpected[0]!r}, {found}")
    return kind(
        **{
            name: _decode_value(hint, members[name], f"{where}.{name}")
            for name, hint in expected.items()
        }
    )


def decode_object(pairs: list[tuple[str, Any]]) -> Any:
    """Returns a record if `pairs` are obviously one, else a dictionary; an `object_pairs_hook`.

    It is ten times as fast as `decode_record`, which handles everything else and explains why a
    document does not match. Strings must not contain lone surrogates. Raises ValueError for
    duplicate names.
    """
    if len(pairs) not in _SIZES:
        return decode_unique(pairs)
    names, values = zip(*pairs, strict=True)
    layout = _LAYOUTS.get(names)
    if layout is None:
        return decode_unique(pairs)
    if tuple(map(type, values)) not in layout.shapes:
        return dict(pairs)
    plain = list(values)
    try:
        for at in layout.moments:
            plain[at] = parse_time(plain[at])
    except ValueError:
        return dict(pairs)
    for at in layout.lists:
        if not all(type(each) is str for each in plain[at]):
            return dict(pairs)
        plain[at] = frozenset(plain[at])
    return layout.kind(*plain)


def decode_unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a dictionary; an `object_pairs_hook`. Raises ValueError for duplicate names."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has duplicate names")
    return members


def _decode_value(hint: Any, value: object, where: str) -> Any:
    if isinstance(hint, UnionType):
        # The only unions in records are `X | None`.
        if value is None:
            return None
        (hint,) = (each for each in get_args(hint) if each is not NoneType)
    if hint is Client:
        return decode_record(Client, value, where)
    if get_origin(hint) is frozenset:
        return frozenset(_expect(str, each, where) for each in _expect(list, value, where))
    if hint is datetime:
        return _parse_moment(_expect(str, value, where), where)
    return _expect(hint, value, where)


def _expect(kind: type[Any], value: object, where: str) -> Any:
    # `isinstance` would accept a boolean as an integer.
    if type(value) is not kind:
        raise Misfit(f"{where}: expected {NAMES[kind]}, found {NAMES[type(value)]}")
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise Misfit(f"{where}: expected a string, found a lone surrogate")
    return value


def _parse_moment(text: str, where: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError:
        raise Misfit(
            f"{where}: expected a time such as 2026-01-15T09:30:00.000Z, found another string"
        ) from None


def _json_types(hint: Any) -> tuple[type, ...]:
    """Returns the types that a decoded value of `hint` may have."""
    if isinstance(hint, UnionType):
        return tuple(kind for each in get_args(hint) for kind in _json_types(each))
    return (list if get_origin(hint) is frozenset else str if hint is datetime else hint,)


@dataclass(frozen=True, slots=True)
class _Layout:
    """The JSON form of a record of `kind`, whose members are in order.

    `shapes` are the possible combinations of their types; `moments` and `lists` are the positions
    of members that have to be converted.
    """

    kind: type[Any]
    shapes: frozenset[tuple[type, ...]]
    moments: tuple[int, ...]
    lists: tuple[int, ...]


def _build_layout(kind: type[Any]) -> _Layout:
    hints = list(HINTS[kind].values())
    return _Layout(
        kind,
        shapes=frozenset(product(*map(_json_types, hints))),
        moments=tuple(at for at, hint in enumerate(hints) if hint is datetime),
        lists=tuple(at for at, hint in enumerate(hints) if get_origin(hint) is frozenset),
    )


_LAYOUTS = {tuple(HINTS[kind]): _build_layout(kind) for kind in KINDS}
_SIZES = frozenset(map(len, _LAYOUTS))


@dataclass(frozen=True, slots=True)
class Change:
    """A write: the new record for each key, or None to remove the record.

    Users and mails are by number, sessions by digest; `public` is None if it does not change.
    """

    public: bool | None = None
    users: Mapping[int, User | None] = field(default_factory=dict)
    sessions: Mapping[str, Session | None] = field(default_factory=dict)
    mails: Mapping[int, Mail | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return self.public is not None or bool(self.users or self.sessions or self.mails)


def encode_change(change: Change) -> bytes:
    """Encodes `change` as JSON on one line, without unchanged parts."""
    parts = {
        "public": change.public,
        "users": {str(number): user for number, user in change.users.items()},
        "sessions": change.sessions,
        "outbox": {str(number): mail for number, mail in change.mails.items()},
    }
    return encode_json({name: part for name, part in parts.items() if part not in (None, {})})


def decode_changes(array: bytes) -> Iterator[Change]:
    """Decodes a JSON array of encoded changes. Raises ValueError, Misfit."""
    return map(_decode_change, json.loads(array, object_pairs_hook=decode_object))


def _decode_change(found: Any) -> Change:
    if type(found) is not dict or found.keys() - {"public", "users", "sessions", "outbox"}:
        raise Misfit("expected a change of users, sessions and outbox, found something else")
    public = found.get("public")
    if public is not None and type(public) is not bool:
        raise Misfit("public: expected a boolean, found something else")
    change = Change(
        public,
        users=_decode_records(found, "users", User, _parse_number),
        sessions=_decode_records(found, "sessions", Session, _parse_digest),
        mails=_decode_records(found, "outbox", Mail, _parse_number),
    )
    if any(user and user.id != number for number, user in change.users.items()):
        raise Misfit("users: expected records under their ids, found another")
    if any(session and session.digest != digest for digest, session in change.sessions.items()):
        raise Misfit("sessions: expected records under their digests, found another")
    return change


def _decode_records(
    found: Mapping[str, Any], name: str, kind: type[Record], key_of: Callable[[str, str], Key]
) -> dict[Key, Record | None]:
    table = found.get(name, {})
    if type(table) is not dict:
        raise Misfit(f"{name}: expected an object of records, found none")
    return {
        key_of(key, name): None
        if document is None
        else decode_record(kind, document, f"{name}.{key}")
        for key, document in table.items()
    }


def _parse_number(key: str, name: str) -> int:
    if not is_number(key):
        raise Misfit(f"{name}: expected records with numbers for names, found another name")
    return int(key)


def _parse_digest(key: str, name: str) -> str:
    if not is_digest(key):
        raise Misfit(f"{name}: expected records with a SHA-256 for a name, found another name")
    return key


def is_digest(text: str) -> bool:
    """Whether `text` is a SHA-256 in hex."""
    return _SHA_256.fullmatch(text) is not None


def is_number(name: str) -> bool:
    """Whether `name` can be the number of a document."""
    return _NUMBER.fullmatch(name) is not None
