"""Decoding of a request: media type, base64, JSON, parameters, the e-mail address.

Sources: R-BODY-BASE64, R-BODY-TEXT-PLAIN, R-EMAIL-MALFORMED, Q-BASE64-DETAIL, Q-JSON-DETAIL,
Q-MEDIA-TYPE, Q-NULLS, Q-EMAIL-SYNTAX, Q-EMAIL-CASE; RFC 4648 section 4, RFC 8259.
"""

import binascii
import json
import re
import unicodedata
from collections.abc import Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Never

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from typing_extensions import override

# The contract's white space. `str.strip()` and `str.isspace()` would include Unicode spaces.
WHITE_SPACE = "\t\n\v\f\r "

# Nesting depth of arrays and objects. The contract requires 64 levels to be accepted and more than
# 1,024 to be refused; the lower bound stays well within the interpreter's recursion limit.
MAX_DEPTH = 64

# Longer integers are truncated. No id has that many digits, and CPython refuses to convert them
# (its limit can be set as low as 640 digits).
MAX_DIGITS = 640

_HIGH_SURROGATES = range(0xD800, 0xDC00)
_LOW_SURROGATES = range(0xDC00, 0xE000)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_DEPTH_CHANGES = {"[": 1, "{": 1, "]": -1, "}": -1}
_WHITE_SPACE_BYTES = WHITE_SPACE.encode()
_JSON_WHITE_SPACE = "\t\n\r "

# A dot-atom at a host name of letters, digits and hyphens, with a top-level domain of letters:
# valid for every server. email_validator rejects some of these, such as `a@ab--cd.test`, because
# hyphens in the third and fourth place of a label are reserved.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(
    rf"(?=.{{1,64}}@.{{1,253}}\Z){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?P<top>[A-Za-z]{{1,63}})"
)
_RESERVED = frozenset(SPECIAL_USE_DOMAIN_NAMES) - {"test"}


if TYPE_CHECKING:
    from functools import cached_property

    lazy = cached_property
else:

    class lazy:  # noqa: N801 - used like `property`
        """Like `functools.cached_property`, but without a lock.

        Up to Python 3.11, `cached_property` acquires a lock on first access, which would make
        refusing a request cost a tenth more instructions.
        """

        def __init__(self, func):
            self.func = func
            self.__doc__ = func.__doc__

        def __set_name__(self, owner, name):
            self._name = name

        def __get__(self, instance, owner=None):
            if instance is None:
                return self
            # The attribute of the instance takes precedence from now on.
            value = instance.__dict__[self._name] = self.func(instance)
            return value


class Unreadable:
    """The type of UNREADABLE."""


# The value of a body that is not JSON. None would be JSON's `null`.
UNREADABLE = Unreadable()


def parse_media_type(content_type: str) -> str:
    """Returns the media type of a Content-Type header in lower case; empty if it has none."""
    return content_type.partition(";")[0].strip().lower()


class Body:
    """A request body, decoded.

    `stripped` is the raw body without ASCII white space, because `base64(1)` and MIME encoders wrap
    lines. `decoded` is None if that is not base64, and `value` UNREADABLE if it is not JSON.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.stripped = raw.translate(None, _WHITE_SPACE_BYTES)
        self.decoded = self._decode()
        self.value = self._parse()
        self.params = Params(self.value if isinstance(self.value, dict) else {})

    def _decode(self) -> bytes | None:
        # Before 3.13, CPython's strict mode accepts padding after a complete quadruple.
        if len(self.stripped) % 4 or self.stripped.endswith(b"==="):
            return None
        try:
            return binascii.a2b_base64(self.stripped, strict_mode=True)
        except binascii.Error:
            return None

    def _parse(self) -> Any | Unreadable:
        if self.decoded is None:
            return UNREADABLE
        try:
            return _parse_json(self.decoded.decode("utf-8"))
        except ValueError:
            return UNREADABLE


class Params(dict[str, Any]):
    """Parameters by dotted path: `params["client.email"]` is the value, or None if absent.

    Null and blank values count as absent (Q-NULLS). Unknown parameters are included.
    """

    def __init__(self, sent: Mapping[str, Any]) -> None:
        super().__init__()
        self._blank: set[str] = set()
        self._add(sent, prefix="")
        client = self["client"]
        if isinstance(client, dict):
            self._add(client, prefix="client.")

    def _add(self, members: Mapping[str, Any], prefix: str) -> None:
        for name, value in members.items():
            # A member whose own name has a dot is an unknown parameter, not a path.
            if "." in name or value is None:
                continue
            if isinstance(value, str) and not value.strip(WHITE_SPACE):
                self._blank.add(prefix + name)
            else:
                self[prefix + name] = value

    def __missing__(self, path: str) -> None:
        return None

    @override
    def __repr__(self) -> str:
        # The values include a password.
        return f"Params({sorted(self)})"

    def absence(self, path: str) -> str:
        """Why `path` is absent: `missing` (not sent, or null) or `empty` (blank).

        These are messages of the envelope's `errors`.
        """
        return "empty" if path in self._blank else "missing"


def trim_email(address: str) -> str:
    """Strips ASCII white space from `address`, as it is stored and returned."""
    return address.strip(WHITE_SPACE)


def email_key(address: str) -> str | None:
    """Returns the key by which a trimmed address is compared; None if the address is invalid.

    The key is the address normalized to NFC and casefolded, so that `Ada@Example.TEST` equals
    `ada@example.test` (Q-EMAIL-CASE). No DNS lookup is made; domains under `.test` are valid.
    """
    plain = _is_plain(address)
    if plain and "--" not in address:
        # email_validator would change nothing but letter case, and takes a hundred times as long.
        return address.casefold()
    try:
        address = validate_email(
            address, check_deliverability=False, test_environment=True
        ).normalized
    except EmailNotValidError:
        if not plain:
            return None
    return unicodedata.normalize("NFC", address.casefold())


def _parse_json(text: str) -> Any:
    """Parses `text` by RFC 8259. Raises ValueError.

    Stricter than `json` on NaN, Infinity, lone surrogates and depth, more lenient on the length of
    integers. The last one of duplicate keys wins.
    """
    _check_depth(text)
    text = text.strip(_JSON_WHITE_SPACE)
    value, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError("more than one value")
    _check_surrogates(text)
    return value


def _parse_integer(digits: str) -> int:
    return int(digits[:MAX_DIGITS])


def _refuse_constant(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")


# `json.loads` would create a decoder for each request.
_DECODER = json.JSONDecoder(parse_int=_parse_integer, parse_constant=_refuse_constant)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    # Without escapes, every other part between quotation marks is outside of strings.
    outside = "".join(text.replace(r"\\", "").replace(r"\"", "").split('"')[::2])
    changes = map(_DEPTH_CHANGES.__getitem__, _BRACKET.findall(outside))
    if max(accumulate(changes), default=0) > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep")


def _check_surrogates(text: str) -> None:
    # UTF-8 cannot encode surrogates, so only escapes matter. They are searched in the text, because
    # the parsed value no longer has the earlier values of duplicate keys.
    if "\\ud" not in text and "\\uD" not in text:
        return
    high_ends_at = None
    for escape in _ESCAPE.finditer(text):
        unit = int(escape[1], 16) if escape[1] else 0
        follows_high = high_ends_at == escape.start()
        is_low = unit in _LOW_SURROGATES
        if (high_ends_at is not None and not (follows_high and is_low)) or (
            is_low and not follows_high
        ):
            raise ValueError("lone surrogate")
        high_ends_at = escape.end() if unit in _HIGH_SURROGATES else None
    if high_ends_at is not None:
        raise ValueError("lone surrogate")


def _is_plain(address: str) -> bool:
    plain = _PLAIN.fullmatch(address)
    return plain is not None and plain["top"].lower() not in _RESERVED
