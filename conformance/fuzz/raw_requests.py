"""Hypothesis strategies for raw requests: odd JSON, base64, headers and framing, malformed HTTP.

A drawn request is a plan that becomes bytes when it is sent, because its addresses are new each
time.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from clients_register.conformance.case import RequestTemplate
from clients_register.conformance.fuzz.registrations import texts, values
from clients_register.conformance.fuzz.request_decoding import BODY_LIMIT, DEPTH
from clients_register.conformance.request import BASE64_FILTERS, Values, encode_base64

REGISTRATION: Mapping[str, Any] = {
    "application": "${application}",
    "client": {"email": "${email}", "password": "${password}"},
}

# Methods and paths that the route does not have.
METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "REPORT")
PATHS = ("${route}/", "${route}?a=b", "/", "${route}/x", "/clients/register", "/a?b")

MAX_CHUNKS = 1000

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
# Offers to upgrade the connection, which servers may ignore (RFC 9110, 7.8).
UPGRADES: tuple[Mapping[str, str], ...] = (
    {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"},
    {"Connection": "keep-alive, upgrade", "Upgrade": "websocket"},
    {"Connection": "Upgrade", "Upgrade": "TLS/1.2, x/1"},
    {"Upgrade": "h2c"},
    {"Connection": "upgrade"},
)
CODINGS = ("gzip", "identity", "IDENTITY", "deflate, gzip", "br", "", "x")


@dataclass(frozen=True)
class Edit:
    """Replaces `cut` bytes by `put`, at a share of the length."""

    share: float
    cut: int
    put: bytes

    def __call__(self, data: bytes) -> bytes:
        """Applies the edit to `data`."""
        place = round(self.share * len(data))
        return data[:place] + self.put + data[place + self.cut :]


@dataclass(frozen=True)
class RawRequest:
    """A request with a raw body.

    `content` turns the text of a registration into bytes, which `inner` edits; `encode` turns them
    into text, which `packed` edits and line feeds pad to `size`.
    """

    content: Callable[[str], bytes]
    encode: Callable[[bytes], str] = encode_base64
    inner: tuple[Edit, ...] = ()
    packed: tuple[Edit, ...] = ()
    size: int | None = None
    headers: Mapping[str, str | list[str] | None] = field(default_factory=dict)
    method: str = "POST"
    path: str = "${route}"
    chunked: int | None = None

    def to_template(self, values: Values) -> RequestTemplate:
        """Returns the request as a case sends it."""
        content = self.content(json.dumps(values.fill(REGISTRATION), ensure_ascii=False))
        body = _apply(self.encode(_apply(content, self.inner)).encode(), self.packed)
        if self.size is not None:
            body += b"\n" * (self.size - len(body))
        return RequestTemplate(
            body_hex=body.hex(),
            headers=self.headers,
            method=self.method,
            path=self.path,
            # A million chunks of one byte would take long and prove no more than a thousand.
            chunked=self.chunked and max(self.chunked, len(body) // MAX_CHUNKS),
        )


def _apply(data: bytes, edits: tuple[Edit, ...]) -> bytes:
    for edit in edits:
        data = edit(data)
    return data


# Other encodings than base64 in one line; servers accept some of them.
_ENCODINGS: tuple[Callable[[bytes], str], ...] = (
    lambda content: content.decode("utf-8", "replace"),
    lambda content: quote(content.decode("utf-8", "replace")),
    lambda content: content.hex(),
    lambda content: encode_base64(encode_base64(content).encode()),
    *(
        (lambda content, filter_=filter_: filter_(encode_base64(content)))
        for filter_ in BASE64_FILTERS.values()
    ),
)


def raw_requests() -> SearchStrategy[RawRequest]:
    """Requests with up to two odd parts."""
    odd: list[SearchStrategy[dict[str, Any]]] = [
        st.fixed_dictionaries({"content": contents()}),
        st.fixed_dictionaries({"inner": edits(_JSON_PIECES)}),
        st.fixed_dictionaries({"packed": edits(_BASE64_PIECES)}),
        st.fixed_dictionaries({"encode": st.sampled_from(_ENCODINGS)}),
        st.fixed_dictionaries({"headers": headers()}),
        st.fixed_dictionaries({"size": sizes(), "chunked": chunks()}),
        st.fixed_dictionaries({"method": st.sampled_from(METHODS)}),
        st.fixed_dictionaries({"path": st.sampled_from(PATHS)}),
    ]
    parts = st.lists(st.one_of(odd), max_size=2)
    return parts.map(lambda drawn: RawRequest(**_merge({"content": str.encode}, *drawn)))


def _merge(*parts: dict[str, Any]) -> dict[str, Any]:
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


# Values that some parsers accept.
_ODD_VALUES = (
    *("NaN", "Infinity", "-Infinity", "undefined", "None", "True", "'a'", "01", "1.", ".5", "+1"),
    *("0x1", "1_000", "1e", "--1", '"\\ud800"', '"\\udc00\\ud800"', '"\\x41"', '"\\u{41}"'),
    *('"\n"', '"\t"', "[1,]", "{}{}", "/**/1", "1//\n", "", "[", '{"a":}', "1E400", "-0", "1e0"),
)


def edits(pieces: tuple[bytes, ...]) -> SearchStrategy[tuple[Edit, ...]]:
    """A few edits, mostly with significant bytes and at the ends."""
    share = st.sampled_from([0.0, 1.0]) | st.floats(0, 1)
    # By index, because Hypothesis records the whole collection it samples from.
    piece = st.integers(0, len(pieces) - 1).map(lambda number: pieces[number])
    put = st.just(b"") | piece | st.binary(max_size=3)
    one = st.builds(Edit, share, st.integers(0, 3), put)
    return st.lists(one, min_size=1, max_size=3).map(tuple)


def contents() -> SearchStrategy[Callable[[str], bytes]]:
    """Unusual ways to write a registration, or something else instead."""
    return st.one_of(
        st.sampled_from(["utf-16", "utf-32", "utf-8-sig", "utf-7", "utf-16-be"]).map(_in_codec),
        st.sampled_from([*DEPTH][:3] + [*DEPTH][-1:] + [DEPTH.stop, 20_000]).map(_nested),
        st.sampled_from([100, 4_299, 4_301, 30_000]).map(_long_number),
        values().map(lambda value: lambda _: json.dumps(value).encode()),
        st.binary(max_size=40).map(lambda data: lambda _: data),
        st.tuples(texts(), values()).map(_with_duplicates),
        st.sampled_from(_ODD_VALUES).map(_with_member),
        st.sampled_from([b"", b" ", b"{}", b"[]", b"null", b"0", b'""', b"{}{}"]).map(
            lambda data: lambda _: data
        ),
    )


def _in_codec(codec: str) -> Callable[[str], bytes]:
    return lambda text: text.encode(codec)


def _nested(depth: int) -> Callable[[str], bytes]:
    """Adds a member that makes the registration `depth` levels deep."""
    inner = "[" * (depth - 1) + "]" * (depth - 1)
    return lambda text: f'{{"x":{inner},{text[1:]}'.encode()


def _long_number(digits: int) -> Callable[[str], bytes]:
    return lambda text: f'{{"x":{"9" * digits},{text[1:]}'.encode()


def _with_member(value: str) -> Callable[[str], bytes]:
    return lambda text: f'{{"x":{value},{text[1:]}'.encode()


def _with_duplicates(pair: tuple[str, Any]) -> Callable[[str], bytes]:
    """Repeats members; the last ones count."""
    name, value = json.dumps(pair[0]), json.dumps(pair[1])
    before = f'"application":{value},"client":{value},{name}:{value},'
    return lambda text: f"{{{before}{text[1:]}".encode()


def headers() -> SearchStrategy[dict[str, str | list[str] | None]]:
    """Content types, content codings, offers to upgrade, and irrelevant headers."""
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
        st.sampled_from(UPGRADES).map(dict),
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
    """Sizes of the body around the limit and above it."""
    return st.none() | st.sampled_from(
        [BODY_LIMIT - 1, BODY_LIMIT, BODY_LIMIT + 1, BODY_LIMIT + 3, 2 * BODY_LIMIT, 2**20]
    )


def chunks() -> SearchStrategy[int | None]:
    """Sizes of chunks; None is a body without chunks."""
    return st.none() | st.sampled_from([1, 2, 3, 7, 100, 4096, 2**20])


_SMALL_BODY = b'{"application":"x","client":{}}'
_HTTP_PIECES = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"\r\n\r\n", b"\xff", b"%", b"HTTP/1.1"),
    *(
        b"Host: a\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 5\r\n",
    ),
    *(
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length: +1\r\n",
        b"Content-Length: 1,1\r\n",
    ),
    *(
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: x,chunked\r\n",
    ),
    *(
        b"Expect: 100-continue\r\n",
        b"Expect: x\r\n",
        b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    ),
    *(
        b"Connection: close\r\n",
        b"Content-Type: text/plain\r\n",
        b" folded\r\n",
        b"X: " + b"y" * 70_000,
    ),
    *(
        b"CONNECT",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://a.test/ ",
        b"* ",
        b"//a",
        b"/../",
    ),
    *(b"0\r\n\r\n", b"5\r\nabcde\r\n", b"ffffffffffffffff\r\n", b"5;x=y\r\n", b"-5\r\n", b"Z\r\n"),
)


@dataclass(frozen=True)
class MalformedHttp:
    """A request with edited bytes, sent in pieces that end at `splits` of its length.

    HTTP itself rejects such requests, so the contract leaves the response open; but a hang, a crash
    or a leak is always a fault, and what a server does accept, it has to handle properly.
    """

    edits: tuple[Edit, ...]
    splits: tuple[float, ...]
    chunked: bool

    def pieces(self, prefix: str, route: str, host: str) -> list[bytes]:
        """Returns the bytes to send, in pieces.

        `prefix`, the path of a world, is not edited: part of a name would create another world,
        which would never be deleted.
        """
        body = encode_base64(_SMALL_BODY).encode()
        framing = f"Content-Length: {len(body)}"
        if self.chunked:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            framing = "Transfer-Encoding: chunked"
        lines = (f"POST {route} HTTP/1.1", f"Host: {host}", "Content-Type: text/plain", framing)
        whole = "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body
        for edit in self.edits:
            whole = edit(whole)
        whole = whole.replace(b"POST /", f"POST {prefix}/".encode())
        cuts = sorted({round(share * len(whole)) for share in self.splits})
        edges = [0, *cuts, len(whole)]
        return [whole[start:end] for start, end in pairwise(edges) if start < end]


def malformed_http() -> SearchStrategy[MalformedHttp]:
    """Intact and malformed requests, in up to six pieces."""
    return st.builds(
        MalformedHttp,
        st.just(()) | edits(_HTTP_PIECES),
        st.lists(st.floats(0, 1), max_size=5).map(tuple),
        st.booleans(),
    )
