"""Where the parts of an answer stand on a target, and how to find them."""

import json
from collections.abc import Mapping
from typing import Any

from clients_register.conformance.wire import Answer

# The keys of the envelope -> where they stand, unless a profile says otherwise.
USUAL = {
    name: f"/{name}" for name in ("status", "code", "data", "session", "application", "errors")
}


class Absent:
    """The value of a place where there is nothing; JSON has none that means it."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


def parsed(answer: Answer) -> Any:
    """The JSON of an answer, or ABSENT where its body is none."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return ABSENT


def at(document: Any, pointer: str) -> Any:
    """What stands in `document` at a JSON pointer (RFC 6901), or ABSENT."""
    found = document
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return ABSENT
    return found


class Layout:
    """The places of one target's envelope."""

    def __init__(self, places: Mapping[str, str] | None = None) -> None:
        """`places` are those of a profile: name of a key -> JSON pointer."""
        self._places = {**USUAL, **(places or {})}

    def place(self, pointer: str) -> str:
        """Where on this target that stands which the contract puts at `pointer`."""
        _, first, *rest = pointer.split("/")
        return "/".join([self._places.get(first, f"/{first}"), *rest])

    def find(self, document: Any, pointer: str) -> Any:
        """What stands at the contract's `pointer`, or ABSENT."""
        return at(document, self.place(pointer))


# Characters of a value that a finding shows.
LONGEST = 300


def shown(value: Any) -> str:
    """A value as a finding shows it: short, one line."""
    text = repr(value) if isinstance(value, Absent) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"
