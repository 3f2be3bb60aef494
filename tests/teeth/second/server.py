"""The contract over HTTP/1.1, one thread a connection, one answer a connection."""

import gzip
import json
import socket
import sys
import traceback
import uuid
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from teeth.second.decoding import decoded, require_plain_text
from teeth.second.envelope import STATUSES, Answer, Refusal, written
from teeth.second.framing import BadFraming, TooLarge, body
from teeth.second.hooks import UnknownState, arrange
from teeth.second.registering import register
from teeth.second.state import Fault, PlantedError, State

from clients_register import spec

HOOKS = "/hooks"

# Every method that IANA lists, but for CONNECT and PRI, which are no requests for a path.
# fmt: off
METHODS = frozenset({
    "ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "DELETE", "GET", "HEAD",
    "LABEL", "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF",
    "MKWORKSPACE", "MOVE", "OPTIONS", "ORDERPATCH", "PATCH", "POST", "PROPFIND", "PROPPATCH",
    "PUT", "QUERY", "REBIND", "REPORT", "SEARCH", "TRACE", "UNBIND", "UNCHECKOUT", "UNLINK",
    "UNLOCK", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL",
})
# fmt: on

# How much of what a caller still sends is read after the answer, in bytes, so that it arrives: more
# than the 1 MiB of the contract, since framing comes on top.
_LINGER = 2 << 20

_PIECE = 100


def _route() -> str:
    """The path of the one operation, below the base path that the spec names."""
    document = spec.load("openapi")
    (path,) = document["paths"]
    return f"{document['servers'][0]['url']}{path}"


class Server(ThreadingHTTPServer):
    """The server on a port of 127.0.0.1, 0 for a free one, with a state of its own."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Exchange)
        self.state = State()
        self.route = _route()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keeps quiet of callers who go away; all else is a defect and goes to standard error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Exchange(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def __getattr__(self, name: str) -> Callable[[], None]:
        """The base class looks for `do_` and the method's name; all methods are served alike."""
        if name.startswith("do_") and name.removeprefix("do_") in METHODS:
            return self._exchange
        raise AttributeError(name)

    def log_message(self, *_: Any) -> None:
        """Nothing is logged: who calls knows what they asked."""

    def _exchange(self) -> None:
        self.close_connection = True
        if self.request_version == "HTTP/0.9":
            return
        if self.request_version != "HTTP/1.0" and "Host" not in self.headers:
            self.send_error(HTTPStatus.BAD_REQUEST, "expected a Host header")
            return
        try:
            self._answer()
        except BadFraming as error:
            self.send_error(HTTPStatus.BAD_REQUEST, str(error))
        self._linger()

    def _answer(self) -> None:
        if (self.command, self._path) == ("POST", HOOKS):
            self._write(*self._arranged())
        else:
            answer = self._judged()
            self._write(answer.status.code, written(answer))

    @property
    def _path(self) -> str:
        """The path as it was sent; `self.path` lacks slashes if there are two at its start."""
        target = self.requestline.split()[1]
        for scheme in ("http://", "https://"):
            if target.lower().startswith(scheme):
                target = f"/{target[len(scheme) :].partition('/')[2]}"
        return target.partition("?")[0]

    def _judged(self) -> Answer:
        """The contract's answer to this request."""
        try:
            self._require_route()
            require_plain_text(self.headers)
            try:
                sent = body(self.headers, self.rfile)
            except TooLarge as error:
                raise Refusal("body_is_within_the_limit") from error
            return register(self.server.state, decoded(sent))
        except Refusal as refusal:
            return refusal.answer
        except (BadFraming, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - the contract has a status for just these
            if not isinstance(error, PlantedError):
                traceback.print_exc()
            return Answer(STATUSES.for_rule("nothing_unforeseen_happens"))

    def _require_route(self) -> None:
        with self.server.state.lock:
            faults = frozenset(self.server.state.faults)
        if Fault.CRASH_BEFORE_ROUTING in faults:
            raise Refusal("request_is_identified")
        if (self.command, self._path) != ("POST", self.server.route):
            raise Refusal("route_exists")
        if Fault.SERVICE_UNDEPLOYED in faults:
            raise Refusal("service_is_deployed")
        if Fault.ROUTE_UNDEPLOYED in faults:
            raise Refusal("route_is_deployed")

    def _arranged(self) -> tuple[int, bytes]:
        """Code and body of the answer to a call of the hook."""
        try:
            asked = json.loads(body(self.headers, self.rfile))
            told = arrange(self.server.state, asked["state"], asked.get("values", {}))
        except UnknownState as error:
            return HTTPStatus.NOT_FOUND, json.dumps({"error": str(error)}).encode()
        except (AttributeError, LookupError, TooLarge, TypeError, ValueError) as error:
            expected = '{"state": NAME, "values": {...}} with the values that the state needs'
            problem = f"expected {expected}, found otherwise: {error!r}"
            return HTTPStatus.BAD_REQUEST, json.dumps({"error": problem}).encode()
        return HTTPStatus.OK, json.dumps(told).encode()

    def _write(self, code: int, content: bytes) -> None:
        """Sends an answer in chunks, where the caller can read those; closing ends it elsewhere."""
        chunked = self.request_version != "HTTP/1.0"
        # Without a preference, callers have to expect any content coding (RFC 9110, 12.5.3).
        compressed = chunked and self._path != HOOKS and "Accept-Encoding" not in self.headers
        content = gzip.compress(content) if compressed else content
        self.send_response_only(code)
        self.send_header("date", formatdate(usegmt=True))
        self.send_header("x-request-id", str(uuid.uuid4()))
        self.send_header("content-type", "application/json;charset=utf-8")
        self.send_header("connection", "close")
        if compressed:
            self.send_header("content-encoding", "gzip")
        if chunked:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"".join(_chunks(content)) if chunked else content)

    def _linger(self) -> None:
        """Reads on for a while: a socket closed over unread bytes takes the answer with it."""
        self.connection.shutdown(socket.SHUT_WR)
        left = _LINGER
        while left > 0 and (found := self.connection.recv(1 << 16)):
            left -= len(found)


def _chunks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _PIECE):
        piece = content[start : start + _PIECE]
        yield b"%x;piece\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
