"""Bytes that are nearly HTTP: what a server may make of them is free, but not that it breaks.

The contract does not cover what HTTP itself rejects: any 4xx, 501 or 505, or hanging up, is right.
A hang, a crash and a leak never are; and what a server does take for a request, it answers as any
other.
"""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from clients_register.conformance.encoding import encoded
from clients_register.conformance.fuzzing.envelopes import Edit, edits

_CONTENT = b'{"application":"x","client":{}}'
_PIECES = (
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
class Head:
    """A request with some of its bytes changed, in pieces that end at `splits` of its length."""

    changes: tuple[Edit, ...]
    splits: tuple[float, ...]
    chunked: bool

    def pieces(self, prefix: str, route: str, host: str) -> list[bytes]:
        """The bytes to send, in pieces.

        Of `prefix`, which names a world, nothing is changed: a request for half a name would make
        a world that nobody forgets.
        """
        body = encoded(_CONTENT).encode()
        framing = f"Content-Length: {len(body)}"
        if self.chunked:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            framing = "Transfer-Encoding: chunked"
        lines = (f"POST {route} HTTP/1.1", f"Host: {host}", "Content-Type: text/plain", framing)
        whole = "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body
        for change in self.changes:
            whole = change(whole)
        whole = whole.replace(b"POST /", f"POST {prefix}/".encode())
        places = sorted({round(share * len(whole)) for share in self.splits})
        edges = [0, *places, len(whole)]
        return [whole[start:end] for start, end in pairwise(edges) if start < end]


def heads() -> SearchStrategy[Head]:
    """Requests that are whole, and ones that are not, in up to six pieces."""
    return st.builds(
        Head,
        st.just(()) | edits(_PIECES),
        st.lists(st.floats(0, 1), max_size=5).map(tuple),
        st.booleans(),
    )
