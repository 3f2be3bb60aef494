"""JSON as RFC 8259 has it, and nothing besides.

The suite's own, because servers written in Python share the faults of Python's: this one knows of
no NaN, no byte order mark, no lone surrogate and no limit to the digits of a number, and counts
depth.
"""

import re
from dataclasses import dataclass
from typing import Any, NoReturn

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_HEX = re.compile(r"[0-9A-Fa-f]{4}")
_ESCAPED = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_WORDS = {"true": True, "false": False, "null": None}

_HIGH = range(0xD800, 0xDC00)
_LOW = range(0xDC00, 0xE000)

# No number that means anything here has as many digits; of longer ones the beginning is read, since
# CPython refuses to make integers of thousands.
MAX_DIGITS = 100


class NotJSON(ValueError):
    """The text is no JSON; the message says where it ceases to be."""


@dataclass(frozen=True)
class Document:
    """A JSON text: its value, and how many arrays and objects are open at once at most.

    An integer is what is written without fraction and exponent; any other number is a float.
    """

    value: Any
    depth: int


def parse(content: bytes) -> Document:
    """What `content` says. Raises NotJSON; of members of one name the last counts."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise NotJSON(f"no UTF-8 at byte {error.start}") from None
    return _Parser(text).document()


class _Parser:
    """Without recursion: what is nested deeply must not end it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def document(self) -> Document:
        root: list[Any] = []
        # Every container that is open, and for an object the name whose value comes next.
        opened: list[tuple[Any, str | None]] = [(root, None)]
        deepest = 0
        while True:
            value = self._value()
            holder, name = opened[-1]
            if name is None:
                holder.append(value)
            else:
                holder[name] = value
            empty = False
            if isinstance(value, list | dict):
                deepest = max(deepest, len(opened))
                self._space()
                empty = self._take("]" if isinstance(value, list) else "}")
                if not empty:
                    opened.append((value, self._name(value)))
                    continue
            if not self._next(opened):
                return Document(root[0], deepest)

    def _next(self, opened: list[tuple[Any, str | None]]) -> bool:
        """Goes on to the next value, out of what ends here; whether there is one."""
        while len(opened) > 1:
            self._space()
            holder, _ = opened[-1]
            if self._take(","):
                opened[-1] = (holder, self._name(holder))
                return True
            if not self._take("]" if isinstance(holder, list) else "}"):
                self._fail("expected a comma or the end")
            opened.pop()
        self._space()
        if self._at < len(self._text):
            self._fail("expected the end")
        return False

    def _name(self, holder: Any) -> str | None:
        """The name that comes before a value in an object; None in an array."""
        if isinstance(holder, list):
            return None
        self._space()
        if not self._take('"'):
            self._fail("expected a name")
        name = self._string()
        self._space()
        if not self._take(":"):
            self._fail("expected a colon")
        return name

    def _value(self) -> Any:
        self._space()
        if self._take("{"):
            return {}
        if self._take("["):
            return []
        if self._take('"'):
            return self._string()
        for word, value in _WORDS.items():
            if self._take(word):
                return value
        number = _NUMBER.match(self._text, self._at)
        if number is None:
            self._fail("expected a value")
        self._at = number.end()
        if number[2] is None and number[3] is None:
            return int(number[1][:MAX_DIGITS])
        return float(number[0])

    def _string(self) -> str:
        pieces = []
        while True:
            plain = _PLAIN.match(self._text, self._at)
            assert plain is not None, "it may be empty"
            pieces.append(plain[0])
            self._at = plain.end()
            if self._take('"'):
                return "".join(pieces)
            if not self._take("\\"):
                self._fail("expected the end of a string")
            pieces.append(self._escaped())

    def _escaped(self) -> str:
        sign = self._text[self._at : self._at + 1]
        self._at += 1
        if sign in _ESCAPED:
            return _ESCAPED[sign]
        if sign != "u":
            self._fail("expected an escape")
        unit = self._unit()
        if unit in _LOW:
            self._fail("a lone surrogate")
        if unit not in _HIGH:
            return chr(unit)
        low = self._unit() if self._take("\\u") else 0
        if low not in _LOW:
            self._fail("a lone surrogate")
        return chr(0x10000 + ((unit - _HIGH.start) << 10) + (low - _LOW.start))

    def _unit(self) -> int:
        found = _HEX.match(self._text, self._at)
        if found is None:
            self._fail("expected four hexadecimal digits")
        self._at = found.end()
        return int(found[0], 16)

    def _space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None, "it may be empty"
        self._at = found.end()

    def _take(self, token: str) -> bool:
        there = self._text.startswith(token, self._at)
        if there:
            self._at += len(token)
        return there

    def _fail(self, what: str) -> NoReturn:
        raise NotJSON(f"{what} at character {self._at}")
