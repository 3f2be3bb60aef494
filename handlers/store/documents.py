"""Records as JSON documents and back. Reading is strict: what does not fit raises.

What a document looks like follows from the fields of its record: times are text, sets are sorted
lists, a record inside another is an object.
"""

from dataclasses import fields
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from clients_register.handlers.clock import read, written
from clients_register.handlers.records import Client, Mail, Session, User

Document = dict[str, Any]
Record = TypeVar("Record", Client, User, Session, Mail)

HINTS = {kind: get_type_hints(kind) for kind in (Client, User, Session, Mail)}

NAMES = {
    NoneType: "null",
    bool: "true or false",
    dict: "an object",
    float: "a number with a fraction",
    int: "a whole number",
    list: "a list",
    str: "text",
}


class Misfit(ValueError):
    """A document is not one of its record.

    The message says where, what was expected and what was found; it quotes no value, for there are
    password hashes among them.
    """


def document_of(record: Client | User | Session | Mail) -> Document:
    """`record` as JSON has it."""
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def record_of(kind: type[Record], document: object, where: str) -> Record:
    """The record of type `kind` that `document_of` wrote. Raises Misfit, which names `where`."""
    members = _of(dict, document, where)
    expected = HINTS[kind]
    if strange := sorted(members.keys() ^ expected.keys()):
        found = "found it" if strange[0] in members else "found none"
        wanted = "no" if strange[0] in members else "a"
        raise Misfit(f"{where}: expected {wanted} member {strange[0]!r}, {found}")
    return kind(
        **{name: _value(hint, members[name], f"{where}.{name}") for name, hint in expected.items()}
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return written(value)
    if isinstance(value, frozenset):
        return sorted(value)
    return document_of(value) if isinstance(value, Client) else value


def _value(hint: Any, value: object, where: str) -> Any:
    if isinstance(hint, UnionType):
        # The one kind of union that records have is `X | None`.
        if value is None:
            return None
        (hint,) = (each for each in get_args(hint) if each is not NoneType)
    if hint is Client:
        return record_of(Client, value, where)
    if get_origin(hint) is frozenset:
        return frozenset(_of(str, each, where) for each in _of(list, value, where))
    if hint is datetime:
        return _moment(_of(str, value, where), where)
    return _of(hint, value, where)


def _of(kind: type[Any], value: object, where: str) -> Any:
    # Not isinstance: to Python a boolean is an integer, to JSON it is not.
    if type(value) is not kind:
        raise Misfit(f"{where}: expected {NAMES[kind]}, found {NAMES[type(value)]}")
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise Misfit(f"{where}: expected text, found half of a surrogate pair")
    return value


def _moment(text: str, where: str) -> datetime:
    try:
        return read(text)
    except ValueError:
        raise Misfit(
            f"{where}: expected a time such as 2026-01-15T09:30:00.000Z, found other text"
        ) from None
