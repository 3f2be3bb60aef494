"""Reads a response: content codings, character encoding and JSON of its body, and its envelope.

A body that deviates from the standards is decoded as far as possible, so that one deviation does
not hide everything else. Each has the grade that spec/grades.yaml gives it: `documented` for a MUST
of an RFC, `family` for a SHOULD, `decided` for behavior that an RFC calls unpredictable.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from clients_register.conformance.grades import Part
from clients_register.conformance.http_client import HttpResponse
from clients_register.conformance.http_parser import MAX_BODY
from clients_register.conformance.strict_json import Document, NotJson, parse_tolerantly
from clients_register.spec.statuses import StatusTable


class Absent:
    """The type of `ABSENT`, which stands for a missing value; JSON's null is a value."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()

# The members of the envelope and their default JSON pointers.
DEFAULT_POINTERS = {
    name: f"/{name}" for name in ("status", "code", "data", "session", "application", "errors")
}

# The `what` of a deviation.
CODING = "header Content-Encoding"
ENCODING = "character encoding"
JSON = "JSON"

# Documents that are nested deeper are not read: an envelope has a few levels.
MAX_DEPTH = 100

# Compressed members of a body; servers write one. Each costs a copy of all that follow.
MAX_MEMBERS = 100

# Characters of a repeated name that a finding shows.
MAX_SHOWN = 100

# Content codings that are decoded (RFC 9110, section 8.4.1), with their format for zlib.
_ZLIB_FORMATS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_RAW_DEFLATE = -15

# All other content codings that are registered with IANA.
_OTHER_CODINGS = frozenset(
    {
        *("aes128gcm", "br", "compress", "dcb", "dcz", "exi", "pack200-gzip"),
        *("x-compress", "zstd"),
    }
)

_ENCODING_NAMES = {
    "utf-8-sig": "UTF-8 with a byte order mark",
    "utf-16": "UTF-16 with a byte order mark",
    "utf-16-le": "UTF-16, little endian",
    "utf-16-be": "UTF-16, big endian",
    "utf-32": "UTF-32 with a byte order mark",
    "utf-32-le": "UTF-32, little endian",
    "utf-32-be": "UTF-32, big endian",
}


@dataclass(frozen=True)
class Deviation:
    """A deviation of a body from a standard, and the part of the response that it is in."""

    what: str
    part: Part
    expected: str
    received: str


@dataclass(frozen=True)
class ResponseBody:
    """A decoded body.

    `content` is the body without content codings, and `text` the same decoded. `document` is its
    JSON value, or ABSENT; `unreadable` then says why. `unsupported` is a valid content coding that
    the suite cannot remove.
    """

    content: bytes = b""
    text: str = ""
    document: Any = ABSENT
    unreadable: str | None = None
    unsupported: str | None = None
    deviations: Sequence[Deviation] = ()


def parse_body(response: HttpResponse) -> ResponseBody:
    """Decodes the body of a response."""
    content, unsupported, deviations = _remove_codings(response)
    codec, wrong_encoding = _detect_encoding(content)
    text = content.decode(codec, "backslashreplace")
    if unsupported is not None:
        why = f"a body in the content coding {unsupported}, which the suite does not decode"
        return ResponseBody(content, text, ABSENT, why, unsupported, deviations)
    if not content:
        return ResponseBody(unreadable="an empty body", deviations=deviations)
    deviations += wrong_encoding
    try:
        parsed = parse_tolerantly(content.decode(codec, "replace"), MAX_DEPTH)
    except NotJson as error:
        return ResponseBody(content, text, ABSENT, f"no JSON: {error}", None, deviations)
    deviations += _find_deviations(parsed)
    if parsed.depth > MAX_DEPTH:
        why = f"JSON with more than {MAX_DEPTH} levels, which the suite does not read"
        return ResponseBody(content, text, ABSENT, why, None, deviations)
    return ResponseBody(content, text, parsed.value, deviations=deviations)


def accepts_coding(accepted: Sequence[str], coding: str) -> bool:
    """Tells whether the Accept-Encoding headers of a request permit `coding` (RFC 9110, 12.5.3).

    Without such a header, any is permitted.
    """
    if not accepted:
        return True
    weights = dict(_parse_weight(each) for each in ",".join(accepted).split(",") if each.strip())
    names = {"x-gzip": "gzip", "gzip": "x-gzip", "x-compress": "compress", "compress": "x-compress"}
    default = weights.get("*", 0.0)
    return max(weights.get(each, default) for each in (coding, names.get(coding, coding))) > 0


def _parse_weight(member: str) -> tuple[str, float]:
    coding, *params = (each.strip().lower() for each in member.split(";"))
    weight = 1.0
    for each in params:
        if each.startswith("q="):
            with suppress(ValueError):
                weight = float(each[2:])
    return coding, weight


def _remove_codings(response: HttpResponse) -> tuple[bytes, str | None, list[Deviation]]:
    """Returns the body without its codings, the first unsupported coding, and deviations."""
    content, deviations = response.body, list[Deviation]()
    for coding in reversed(response.members("Content-Encoding")) if content else ():
        if coding in _OTHER_CODINGS:
            return content, coding, deviations
        content, found = _remove_coding(coding, content)
        deviations += found
    return content, None, deviations


def _remove_coding(coding: str, content: bytes) -> tuple[bytes, list[Deviation]]:
    """Returns `content` without a content coding, as far as it can be removed, and deviations."""
    if coding == "identity":
        return content, [
            Deviation(CODING, Part.NEEDLESS_IDENTITY, "none instead of identity", coding)
        ]
    if coding not in _ZLIB_FORMATS:
        expected = "a content coding that is registered with IANA"
        return content, [Deviation(CODING, Part.CONTENT_CODING, expected, coding)]
    try:
        return _inflate(content, _ZLIB_FORMATS[coding]), []
    except _NotInflated as error:
        expected = f"a body in the coding {coding}"
        broken = Deviation(CODING, Part.CONTENT_CODING, expected, str(error))
        content = error.inflated or content
    if coding == "deflate":
        # A common mistake, of which RFC 9110, section 8.4.1.2, warns.
        with suppress(_NotInflated):
            return _inflate(content, _RAW_DEFLATE), [broken]
    return content, [broken]


class _NotInflated(Exception):
    """The bytes are not in the format; the message says why. `inflated` came before the fault."""

    def __init__(self, why: str, inflated: bytes = b"") -> None:
        super().__init__(why)
        self.inflated = inflated


def _inflate(content: bytes, window_bits: int) -> bytes:
    """Decompresses all members of `content`. Raises _NotInflated."""
    inflated = b""
    members = 0
    while content:
        members += 1
        if members > MAX_MEMBERS:
            raise _NotInflated(f"more than {MAX_MEMBERS} compressed members", inflated)
        decompressor = zlib.decompressobj(window_bits)
        try:
            inflated += decompressor.decompress(content, MAX_BODY - len(inflated) + 1)
        except zlib.error as error:
            raise _NotInflated(str(error), inflated) from None
        if len(inflated) > MAX_BODY:
            raise _NotInflated(f"more than {MAX_BODY} bytes")
        if not decompressor.eof:
            why = f"an end within the compressed data, after {len(inflated)} bytes"
            raise _NotInflated(why, inflated)
        content = decompressor.unused_data
    return inflated


def _detect_encoding(content: bytes) -> tuple[str, list[Deviation]]:
    """Returns the codec of a JSON text, with a deviation unless it is plain UTF-8."""
    codec = json.detect_encoding(content)
    if codec == "utf-8":
        try:
            content.decode()
        except UnicodeDecodeError as error:
            found = f"another encoding: byte {error.start} is 0x{content[error.start]:02x}"
        else:
            return codec, []
    else:
        found = _ENCODING_NAMES[codec]
    expected = "UTF-8 without a byte order mark (RFC 8259, 8.1)"
    return codec, [Deviation(ENCODING, Part.CHARACTER_ENCODING, expected, found)]


def _find_deviations(parsed: Document) -> Iterator[Deviation]:
    if parsed.invalid is not None:
        yield Deviation(JSON, Part.JSON, "JSON (RFC 8259)", parsed.invalid)
    if parsed.repeated is not None:
        found = f"{json.dumps(parsed.repeated)[:MAX_SHOWN]} twice in one object"
        yield Deviation(JSON, Part.REPEATED_NAME, "unique names (RFC 8259, 4)", found)
    if parsed.replaced is not None:
        expected = "only Unicode characters (RFC 8259, 8.2)"
        yield Deviation(JSON, Part.LONE_SURROGATE, expected, parsed.replaced)


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
    """Returns a received id; None if it is not an integer. True is one in Python, not in JSON."""
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
