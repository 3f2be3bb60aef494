"""The envelope of a response: where its parts are on a target, and how values are compared."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clients_register.conformance.http_client import HttpResponse
from clients_register.conformance.response_body import ABSENT, Absent, ResponseBody
from clients_register.spec.statuses import StatusTable

# The members of the envelope and their default JSON pointers.
DEFAULT_POINTERS = {
    name: f"/{name}" for name in ("status", "code", "data", "session", "application", "errors")
}


class EnvelopeLayout:
    """Translates JSON pointers of the contract to the layout of one target."""

    def __init__(self, pointers: Mapping[str, str] | None = None) -> None:
        """`pointers` are those of a profile, by the name of an envelope member."""
        self._pointers = {**DEFAULT_POINTERS, **(pointers or {})}

    def translate(self, pointer: str) -> str:
        """Returns the target's pointer for `pointer` of the contract."""
        _, first, *rest = pointer.split("/")
        return "/".join([self._pointers.get(first, f"/{first}"), *rest])

    def find(self, document: Any, pointer: str) -> Any:
        """Returns the value at the contract's `pointer`, or ABSENT."""
        return resolve_pointer(document, self.translate(pointer))


@dataclass(frozen=True)
class ParsedResponse:
    """A response with its decoded body, and what is needed to interpret it."""

    response: HttpResponse
    body: ResponseBody
    layout: EnvelopeLayout
    statuses: StatusTable

    @property
    def document(self) -> Any:
        """The JSON value of the body, or ABSENT."""
        return self.body.document

    def find(self, pointer: str) -> Any:
        """Returns the value at the contract's `pointer`, or ABSENT."""
        return self.layout.find(self.document, pointer)

    @property
    def slug(self) -> str | None:
        """The status slug in the envelope, whether it is documented or not."""
        found = self.find("/status")
        return found if isinstance(found, str) else None

    def describe_status(self) -> str:
        """Returns the status slug, or what the response has instead."""
        if self.slug is not None:
            return self.slug
        if self.body.unreadable is None:
            return f"HTTP {self.response.code} without a status: {show_value(self.document)}"
        shown = f": {self.body.text!r}" if self.body.text and not self.body.unsupported else ""
        return f"HTTP {self.response.code} without a status, {self.body.unreadable}{shown}"


def as_id(value: Any) -> int | None:
    """Returns a received id; None if it is no integer. Python's True is one, but not in JSON."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def resolve_pointer(document: Any, pointer: str) -> Any:
    """Returns the value at a JSON pointer (RFC 6901), or ABSENT."""
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


def same_json(found: Any, expected: Any) -> bool:
    """Compares two JSON values. Unlike in Python, 1 equals neither true nor 1.0.

    JSON has one type of number, but callers in most languages read 1.0 as no integer.
    """
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(found, int | float) and isinstance(expected, int | float):
        return type(found) is type(expected) and found == expected
    if isinstance(expected, Mapping):
        return (
            isinstance(found, Mapping)
            and set(found) == set(expected)
            and all(same_json(found[key], expected[key]) for key in expected)
        )
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(map(same_json, found, expected))
        )
    return bool(found == expected)


def show_value(value: Any) -> str:
    """Formats a value for a finding, in one line. Reports cut it."""
    return repr(value) if isinstance(value, Absent) else json.dumps(value, ensure_ascii=False)


def cut_text(text: str, limit: int) -> str:
    """Cuts a text at `limit` characters; if it is longer, its length is added."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"
