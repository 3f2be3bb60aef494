"""JSON documents back as the records that `encoded` wrote. It is strict: what does not fit raises.

What a document looks like follows from the fields of its record: times are text, sets are sorted
lists, a record inside another is an object.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import product
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from clients_register.handlers.clock import read
from clients_register.handlers.records import Client, Mail, Session, User

Record = TypeVar("Record", Client, User, Session, Mail)

KINDS = (Client, User, Session, Mail)

HINTS = {kind: get_type_hints(kind) for kind in KINDS}

NAMES = {
    NoneType: "null",
    bool: "true or false",
    dict: "an object",
    float: "a number with a fraction",
    int: "a whole number",
    list: "a list",
    str: "text",
    **dict.fromkeys(KINDS, "an object"),
}


class Misfit(ValueError):
    """A document is not one of its record.

    The message says where, what was expected and what was found; it quotes no value, for there are
    password hashes among them.
    """


def record_of(kind: type[Record], document: object, where: str) -> Record:
    """The record of type `kind` that `encoded` wrote. Raises Misfit, which names `where`."""
    if type(document) is kind:
        return document
    members = _of(dict, document, where)
    expected = HINTS[kind]
    if strange := sorted(members.keys() ^ expected.keys()):
        found = "found it" if strange[0] in members else "found none"
        wanted = "no" if strange[0] in members else "a"
        raise Misfit(f"{where}: expected {wanted} member {strange[0]!r}, {found}")
    return kind(
        **{name: _value(hint, members[name], f"{where}.{name}") for name, hint in expected.items()}
    )


def record_or_members(pairs: list[tuple[str, Any]]) -> Any:
    """A hook for JSON: the record that `encoded` wrote as `pairs`, else their dictionary.

    It makes the records of a whole file ten times as fast as `record_of`, and knows less: what is
    none at first sight is left to `record_of`, and so is saying why. Text must not have halves of
    surrogate pairs. Raises ValueError where two members have one name.
    """
    if len(pairs) not in _SIZES:
        return distinct(pairs)
    names, values = zip(*pairs, strict=True)
    layout = _LAYOUTS.get(names)
    if layout is None:
        return distinct(pairs)
    if tuple(map(type, values)) not in layout.shapes:
        return dict(pairs)
    plain = list(values)
    try:
        for at in layout.moments:
            plain[at] = read(plain[at])
    except ValueError:
        return dict(pairs)
    for at in layout.lists:
        if not all(type(each) is str for each in plain[at]):
            return dict(pairs)
        plain[at] = frozenset(plain[at])
    return layout.kind(*plain)


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A hook for JSON: a dictionary. Raises ValueError where two members have one name."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has two members of one name")
    return members


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


def _json_types(hint: Any) -> tuple[type, ...]:
    """The types that a value of `hint` has in JSON, once what is inside of it has been read."""
    if isinstance(hint, UnionType):
        return tuple(kind for each in get_args(hint) for kind in _json_types(each))
    return (list if get_origin(hint) is frozenset else str if hint is datetime else hint,)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a record of `kind` stands in JSON, its members in their order.

    `shapes` are the types that they may have together, `moments` and `lists` the places of those
    that have others in the record.
    """

    kind: type[Any]
    shapes: frozenset[tuple[type, ...]]
    moments: tuple[int, ...]
    lists: tuple[int, ...]


def _layout(kind: type[Any]) -> _Layout:
    hints = list(HINTS[kind].values())
    return _Layout(
        kind,
        shapes=frozenset(product(*map(_json_types, hints))),
        moments=tuple(at for at, hint in enumerate(hints) if hint is datetime),
        lists=tuple(at for at, hint in enumerate(hints) if get_origin(hint) is frozenset),
    )


_LAYOUTS = {tuple(HINTS[kind]): _layout(kind) for kind in KINDS}
_SIZES = frozenset(map(len, _LAYOUTS))
