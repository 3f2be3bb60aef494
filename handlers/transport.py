"""The envelope of the request: media type, base64, JSON. Nothing here knows a parameter's name.

Sources: R-BODY-BASE64, R-BODY-TEXT-PLAIN, Q-BASE64-DETAIL, Q-JSON-DETAIL, Q-MEDIA-TYPE; RFC 4648
section 4, RFC 8259.
"""

import binascii
import json
import re
from typing import Any, Never

from clients_register.handlers.once import once

WHITE_SPACE = b"\t\n\v\f\r "

# Arrays and objects open at once. The contract wants 64 accepted and over 1,024 refused; the
# smallest limit keeps the recursive scanner of `json` far from the interpreter's own.
MAX_DEPTH = 64

# Integers beyond this many digits are cut: no id has so many, and CPython refuses to convert them
# (the limit can be set as low as 640 digits).
MAX_DIGITS = 640

HIGH_SURROGATES = range(0xD800, 0xDC00)
LOW_SURROGATES = range(0xDC00, 0xE000)

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class Unreadable:
    """Stands for a value that could not be read; JSON's own `null` is a value."""


UNREADABLE = Unreadable()


def media_type(content_type: str) -> str:
    """The media type that a Content-Type header names, in lower case; empty if it names none."""
    return content_type.partition(";")[0].strip().lower()


class Body:
    """A request body and what it decodes to, each step computed once and only when asked for."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @once
    def stripped(self) -> bytes:
        """The raw body without ASCII white space: `base64(1)` and MIME encoders wrap lines."""
        return self.raw.translate(None, WHITE_SPACE)

    @once
    def decoded(self) -> bytes | None:
        """What the base64 holds; None where the body is not base64."""
        # Before 3.13, CPython's strict mode takes padding that follows a complete quadruple.
        if len(self.stripped) % 4 or self.stripped.endswith(b"==="):
            return None
        try:
            return binascii.a2b_base64(self.stripped, strict_mode=True)
        except binascii.Error:
            return None

    @once
    def value(self) -> Any | Unreadable:
        """The JSON value; UNREADABLE where there is none."""
        if self.decoded is None:
            return UNREADABLE
        try:
            return _parse(self.decoded.decode("utf-8"))
        except ValueError:
            return UNREADABLE


def _parse(text: str) -> Any:
    """`text` as RFC 8259 reads it. Raises ValueError.

    Stricter than `json` on NaN, Infinity, lone surrogates and depth, more tolerant on the length
    of integers. Of duplicate keys the last one counts.
    """
    _check_depth(text)
    value = _DECODER.decode(text)
    _check_surrogates(text)
    return value


def _integer(digits: str) -> int:
    return int(digits[:MAX_DIGITS])


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")


# `json.loads` would make one for each request.
_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_refuse)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"more than {MAX_DEPTH} arrays and objects are open at once")
        elif token[0] in "]}":
            depth -= 1


def _check_surrogates(text: str) -> None:
    # Unescaped ones are no UTF-8 in the first place. Looked for in the text and not in the value,
    # since a duplicate key's earlier value is gone from there.
    if "\\ud" not in text and "\\uD" not in text:
        return
    high_ends_at = None
    for escape in _ESCAPE.finditer(text):
        unit = int(escape[1], 16) if escape[1] else 0
        follows_high = high_ends_at == escape.start()
        is_low = unit in LOW_SURROGATES
        if (high_ends_at is not None and not (follows_high and is_low)) or (
            is_low and not follows_high
        ):
            raise ValueError("lone surrogate")
        high_ends_at = escape.end() if unit in HIGH_SURROGATES else None
    if high_ends_at is not None:
        raise ValueError("lone surrogate")
