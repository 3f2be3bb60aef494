"""Bodies that are nearly base64 of nearly JSON, under heads that are nearly right.

An envelope is drawn as a plan, and becomes bytes when it is sent, since addresses in it are new
each time.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from clients_register.conformance.composing import Values
from clients_register.conformance.encoding import FILTERS, encoded
from clients_register.conformance.fuzzing.reading import BODY_LIMIT, DEPTH
from clients_register.conformance.fuzzing.registrations import texts, values
from clients_register.conformance.model import Send

REGISTRATION: Mapping[str, Any] = {
    "application": "${application}",
    "client": {"email": "${email}", "password": "${password}"},
}

# What a server may be asked for beside the one thing that it does.
METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "REPORT")
PATHS = ("${route}/", "${route}?a=b", "/", "${route}/x", "/clients/register", "/a?b")

MOST_CHUNKS = 1000

TYPES = (
    "text/plain; charset=utf-8",
    "TEXT/PLAIN",
    " text/plain\t",
    "text/plain;",
    "text/plain;;charset",
    'text/plain; charset="latin-1"',
    "text/plain , text/html",
    "text/plainer",
    "text",
    "text/",
    "/plain",
    "*/*",
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/octet-stream",
    ";text/plain",
    "",
    "\x80text/plain",
)
CODINGS = ("gzip", "identity", "IDENTITY", "deflate, gzip", "br", "", "x")


@dataclass(frozen=True)
class Edit:
    """A change of bytes at a share of their length: `cut` go, `put` comes."""

    share: float
    cut: int
    put: bytes

    def __call__(self, data: bytes) -> bytes:
        """`data` with the change made."""
        place = round(self.share * len(data))
        return data[:place] + self.put + data[place + self.cut :]


@dataclass(frozen=True)
class Envelope:
    """What is sent: `content` made from the text of a registration, encoded, edited, filled up."""

    content: Callable[[str], bytes]
    encode: Callable[[bytes], str] = encoded
    inner: tuple[Edit, ...] = ()
    packed: tuple[Edit, ...] = ()
    size: int | None = None
    headers: Mapping[str, str | list[str] | None] = field(default_factory=dict)
    method: str = "POST"
    path: str = "${route}"
    chunked: int | None = None

    def send(self, values: Values) -> Send:
        """As a case sends it."""
        content = self.content(json.dumps(values.fill(REGISTRATION), ensure_ascii=False))
        body = _edited(self.encode(_edited(content, self.inner)).encode(), self.packed)
        if self.size is not None:
            body += b"\n" * (self.size - len(body))
        return Send(
            body_hex=body.hex(),
            headers=self.headers,
            method=self.method,
            path=self.path,
            # A million chunks of one byte would tell no more than a thousand, and take their time.
            chunked=self.chunked and max(self.chunked, len(body) // MOST_CHUNKS),
        )


def _edited(data: bytes, edits: tuple[Edit, ...]) -> bytes:
    for edit in edits:
        data = edit(data)
    return data


# Other ways to pack than base64 in one line: a server takes some of them, and not others.
_PACKINGS: tuple[Callable[[bytes], str], ...] = (
    lambda content: content.decode("utf-8", "replace"),
    lambda content: quote(content.decode("utf-8", "replace")),
    lambda content: content.hex(),
    lambda content: encoded(encoded(content).encode()),
    *((lambda content, filter_=filter_: filter_(encoded(content))) for filter_ in FILTERS.values()),
)


def envelopes() -> SearchStrategy[Envelope]:
    """Envelopes with one part odd, or two; now and then with none."""
    odd: list[SearchStrategy[dict[str, Any]]] = [
        st.fixed_dictionaries({"content": contents()}),
        st.fixed_dictionaries({"inner": edits(_JSON_PIECES)}),
        st.fixed_dictionaries({"packed": edits(_BASE64_PIECES)}),
        st.fixed_dictionaries({"encode": st.sampled_from(_PACKINGS)}),
        st.fixed_dictionaries({"headers": headers()}),
        st.fixed_dictionaries({"size": sizes(), "chunked": chunks()}),
        st.fixed_dictionaries({"method": st.sampled_from(METHODS)}),
        st.fixed_dictionaries({"path": st.sampled_from(PATHS)}),
    ]
    parts = st.lists(st.one_of(odd), max_size=2)
    return parts.map(lambda drawn: Envelope(**_merged({"content": str.encode}, *drawn)))


def _merged(*parts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


_JSON_PIECES = (
    *(b"\xef\xbb\xbf", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\0", b"\x1f"),
    *(b",", b":", b'"', b"\\", b"\\u", b"\\ud800", b"\\udc00", b"\\ud83d\\ude00", b"\\x", b"\\/"),
    *(b"NaN", b"Infinity", b"-", b"-0", b"01", b"1.", b".5", b"1e", b"1E+400", b"true", b"null"),
    *(b"//x\n", b"/*x*/", b"{", b"}", b"[", b"]", b"'", b"\n", b"\x0b", b"\xc2\xa0", b'"a":1,'),
)
_BASE64_PIECES = (
    *(b"=", b"==", b"===", b"-", b"_", b"+", b"/", b"A", b"AA", b"AAA", b"AAAA", b"\0", b"\xff"),
    *(b"\n", b"\r\n", b" ", b"\t", b"\x0b", b"\x0c", b"\x1c", b"\xc2\x85", b"\xa0", b"%3D", b","),
    *(b"data:;base64,", b'"', b"'", b"\xef\xbb\xbf", b"e30=", b"e30"),
)


# What some parsers take for a value.
_NEARLY_VALUES = (
    *("NaN", "Infinity", "-Infinity", "undefined", "None", "True", "'a'", "01", "1.", ".5", "+1"),
    *("0x1", "1_000", "1e", "--1", '"\\ud800"', '"\\udc00\\ud800"', '"\\x41"', '"\\u{41}"'),
    *('"\n"', '"\t"', "[1,]", "{}{}", "/**/1", "1//\n", "", "[", '{"a":}', "1E400", "-0", "1e0"),
)


def edits(pieces: tuple[bytes, ...]) -> SearchStrategy[tuple[Edit, ...]]:
    """A few changes, mostly of what is likely to matter, at the ends more often than between."""
    share = st.sampled_from([0.0, 1.0]) | st.floats(0, 1)
    # By its number, since Hypothesis writes down what it draws from.
    piece = st.integers(0, len(pieces) - 1).map(lambda number: pieces[number])
    put = st.just(b"") | piece | st.binary(max_size=3)
    one = st.builds(Edit, share, st.integers(0, 3), put)
    return st.lists(one, min_size=1, max_size=3).map(tuple)


def contents() -> SearchStrategy[Callable[[str], bytes]]:
    """Ways to write a registration, or something else in its place."""
    return st.one_of(
        st.sampled_from(["utf-16", "utf-32", "utf-8-sig", "utf-7", "utf-16-be"]).map(_in),
        st.sampled_from([*DEPTH][:3] + [*DEPTH][-1:] + [DEPTH.stop, 20_000]).map(_nested),
        st.sampled_from([100, 4_299, 4_301, 30_000]).map(_long_number),
        values().map(lambda value: lambda _: json.dumps(value).encode()),
        st.binary(max_size=40).map(lambda data: lambda _: data),
        st.tuples(texts(), values()).map(_doubled),
        st.sampled_from(_NEARLY_VALUES).map(_with_member),
        st.sampled_from([b"", b" ", b"{}", b"[]", b"null", b"0", b'""', b"{}{}"]).map(
            lambda data: lambda _: data
        ),
    )


def _in(codec: str) -> Callable[[str], bytes]:
    return lambda text: text.encode(codec)


def _nested(depth: int) -> Callable[[str], bytes]:
    """With a member that opens `depth` arrays and objects at once, the registration included."""
    inner = "[" * (depth - 1) + "]" * (depth - 1)
    return lambda text: f'{{"x":{inner},{text[1:]}'.encode()


def _long_number(digits: int) -> Callable[[str], bytes]:
    return lambda text: f'{{"x":{"9" * digits},{text[1:]}'.encode()


def _with_member(value: str) -> Callable[[str], bytes]:
    return lambda text: f'{{"x":{value},{text[1:]}'.encode()


def _doubled(pair: tuple[str, Any]) -> Callable[[str], bytes]:
    """With a member twice: once before and once after, of which the latter counts."""
    name, value = json.dumps(pair[0]), json.dumps(pair[1])
    before = f'"application":{value},"client":{value},{name}:{value},'
    return lambda text: f"{{{before}{text[1:]}".encode()


def headers() -> SearchStrategy[dict[str, str | list[str] | None]]:
    """Content types and codings, and headers that have no meaning here."""
    types = (
        st.none()
        | st.sampled_from(TYPES)
        | st.lists(st.sampled_from(TYPES), min_size=2, max_size=2)
    )
    return st.one_of(
        st.fixed_dictionaries({"Content-Type": types}),
        st.fixed_dictionaries({"Content-Encoding": st.sampled_from(CODINGS)}),
        st.fixed_dictionaries(
            {"Content-Type": types, "Content-Encoding": st.sampled_from(CODINGS)}
        ),
        st.dictionaries(
            st.sampled_from(
                [
                    "Accept",
                    "Authorization",
                    "Cookie",
                    "Origin",
                    "X-Forwarded-For",
                    "Range",
                    "If-Match",
                ]
            ),
            st.sampled_from(["", "*", "null", "a=b", "x" * 4000, "Basic e30=", "http://a.test"]),
            max_size=2,
        ),
    )


def sizes() -> SearchStrategy[int | None]:
    """Sizes of a whole body, up to the limit and past it."""
    return st.none() | st.sampled_from(
        [BODY_LIMIT - 1, BODY_LIMIT, BODY_LIMIT + 1, BODY_LIMIT + 3, 2 * BODY_LIMIT, 2**20]
    )


def chunks() -> SearchStrategy[int | None]:
    """Sizes of chunks; None sends none."""
    return st.none() | st.sampled_from([1, 2, 3, 7, 100, 4096, 2**20])
