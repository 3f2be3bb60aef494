"""A strict JSON parser (RFC 8259).

The parser of the standard library would overlook the faults that servers in Python owe to it. This
one rejects NaN, byte order marks and lone surrogates, accepts numbers of any length, and measures
the depth. Documents that both read alike are left to the standard library, which is faster.
"""

import json
import re
import sys
from dataclasses import dataclass
from typing import Any, NoReturn

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_HEX = re.compile(r"[0-9A-Fa-f]{4}")
_ESCAPES = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_LITERALS = {"true": True, "false": False, "null": None}

# Includes numbers that JSON does not have, but that some libraries write.
_WORDS = {**_LITERALS, **dict.fromkeys(("NaN", "Infinity", "-Infinity"))}

_HIGH_SURROGATES = range(0xD800, 0xDC00)
_LOW_SURROGATES = range(0xDC00, 0xE000)

# Replaces a lone surrogate.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Longer integers are truncated, because CPython does not parse thousands of digits; no value that
# the suite compares is as long.
MAX_DIGITS = 100

# Escapes that may be lone surrogates, and integers that are truncated.
_UNUSUAL = re.compile(rf"\\u[dD]|[0-9]{{{MAX_DIGITS}}}")


class NotJson(ValueError):
    """The text is not JSON; the message says where the error is."""


@dataclass(frozen=True)
class Document:
    """A JSON text: its value, and the deepest nesting of arrays and objects.

    A number without fraction and exponent is an int; any other is a float. `repeated` is the first
    name that occurs twice in one object; the last of its values counts. `invalid` says what is not
    JSON, and `replaced` where a lone surrogate was replaced, if that was tolerated.
    """

    value: Any
    depth: int
    repeated: str | None = None
    invalid: str | None = None
    replaced: str | None = None


def parse_json(content: bytes) -> Document:
    """Parses `content`. Raises NotJson."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise NotJson(f"no UTF-8 at byte {error.start}") from None
    return _Parser(text).document()


def parse_tolerantly(text: str, max_depth: int) -> Document:
    """Parses `text`; tolerates NaN, infinities, and other text after the value. Raises NotJson.

    Replaces lone surrogates by U+FFFD: RFC 8259 permits them, but no report could contain them.
    Beyond `max_depth`, parsing ends: the depth is then larger, and the value is None.
    """
    usual = _parse_usual(text, max_depth)
    return usual or _Parser(text, tolerant=True, max_depth=max_depth).document()


def _parse_usual(text: str, max_depth: int) -> Document | None:
    """Parses `text` by the standard library, in a fifth of the time.

    Returns None if the two parsers might differ on it.
    """
    if _UNUSUAL.search(text) or text.count("[") + text.count("{") > max_depth:
        return None
    try:
        value = _USUAL_DECODER.decode(text)
    except ValueError:
        return None
    return Document(value, _measure_depth(value))


def _measure_depth(value: Any) -> int:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return 0
    return 1 + max(map(_measure_depth, value), default=0)


def _parse_float(number: str) -> float:
    # Infinity, which larger numbers would become, cannot be represented in a report.
    return max(-sys.float_info.max, min(float(number), sys.float_info.max))


def _require_distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    holder = dict(members)
    if len(holder) < len(members):
        raise ValueError("a name occurs twice")
    return holder


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_USUAL_DECODER = json.JSONDecoder(
    object_pairs_hook=_require_distinct,
    parse_float=_parse_float,
    parse_constant=_refuse_constant,
)


class _Parser:
    """Not recursive, because deep nesting would exhaust the stack."""

    def __init__(self, text: str, *, tolerant: bool = False, max_depth: int = sys.maxsize) -> None:
        self._text = text
        self._at = 0
        self._tolerant = tolerant
        self._max_depth = max_depth
        self._invalid: str | None = None
        self._replaced: str | None = None
        self._repeated: str | None = None

    def document(self) -> Document:
        root: list[Any] = []
        # The open containers; an object with the name of its next value.
        opened: list[tuple[Any, str | None]] = [(root, None)]
        deepest = 0
        while True:
            value = self._value()
            holder, name = opened[-1]
            if name is None:
                holder.append(value)
            else:
                if name in holder and self._repeated is None:
                    self._repeated = name
                holder[name] = value
            empty = False
            if isinstance(value, list | dict):
                deepest = max(deepest, len(opened))
                if deepest > self._max_depth:
                    return Document(None, deepest)
                self._skip_space()
                empty = self._take("]" if isinstance(value, list) else "}")
                if not empty:
                    opened.append((value, self._name(value)))
                    continue
            if not self._next(opened):
                return Document(root[0], deepest, self._repeated, self._invalid, self._replaced)

    def _next(self, opened: list[tuple[Any, str | None]]) -> bool:
        """Advances to the next value, closing containers; returns whether there is one."""
        while len(opened) > 1:
            self._skip_space()
            holder, _ = opened[-1]
            if self._take(","):
                opened[-1] = (holder, self._name(holder))
                return True
            if not self._take("]" if isinstance(holder, list) else "}"):
                self._fail("expected a comma or the end")
            opened.pop()
        self._skip_space()
        if self._at < len(self._text):
            self._tolerate("expected the end")
        return False

    def _name(self, holder: Any) -> str | None:
        """Parses the name before a value in an object; returns None in an array."""
        if isinstance(holder, list):
            return None
        self._skip_space()
        if not self._take('"'):
            self._fail("expected a name")
        name = self._string()
        self._skip_space()
        if not self._take(":"):
            self._fail("expected a colon")
        return name

    def _value(self) -> Any:
        self._skip_space()
        if self._take("{"):
            return {}
        if self._take("["):
            return []
        if self._take('"'):
            return self._string()
        for word, value in _WORDS.items():
            if self._text.startswith(word, self._at):
                if word not in _LITERALS:
                    self._tolerate(f"expected a value, found {word}")
                self._at += len(word)
                return value
        number = _NUMBER.match(self._text, self._at)
        if number is None:
            self._fail("expected a value")
        self._at = number.end()
        if number[2] is None and number[3] is None:
            return int(number[1][:MAX_DIGITS])
        return _parse_float(number[0])

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
            pieces.append(self._escape())

    def _escape(self) -> str:
        sign = self._text[self._at : self._at + 1]
        self._at += 1
        if sign in _ESCAPES:
            return _ESCAPES[sign]
        if sign != "u":
            self._fail("expected an escape")
        unit = self._code_unit()
        if unit in _LOW_SURROGATES:
            return self._lone_surrogate()
        if unit not in _HIGH_SURROGATES:
            return chr(unit)
        after = self._at
        low = self._code_unit() if self._take("\\u") else 0
        if low not in _LOW_SURROGATES:
            self._at = after
            return self._lone_surrogate()
        return chr(
            0x10000 + ((unit - _HIGH_SURROGATES.start) << 10) + (low - _LOW_SURROGATES.start)
        )

    def _lone_surrogate(self) -> str:
        if not self._tolerant:
            self._fail("a lone surrogate")
        self._replaced = self._replaced or f"a lone surrogate at character {self._at}"
        return REPLACEMENT

    def _code_unit(self) -> int:
        found = _HEX.match(self._text, self._at)
        if found is None:
            self._fail("expected four hexadecimal digits")
        self._at = found.end()
        return int(found[0], 16)

    def _skip_space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None, "it may be empty"
        self._at = found.end()

    def _take(self, token: str) -> bool:
        found = self._text.startswith(token, self._at)
        if found:
            self._at += len(token)
        return found

    def _tolerate(self, what: str) -> None:
        if not self._tolerant:
            self._fail(what)
        self._invalid = self._invalid or f"{what} at character {self._at}"

    def _fail(self, what: str) -> NoReturn:
        raise NotJson(f"{what} at character {self._at}")
