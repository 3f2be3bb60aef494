"""A server on loopback that speaks the Mandrill messages API, with the answers that it documents.

What it answers next is set by `answer`: one of the functions below, or another that takes the call
and writes to it.
"""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

from support.hang import LIMIT

KEY = "Xq7-k3y_oF.tests0nly22"


class Call(BaseHTTPRequestHandler):
    """One call of the API; `sent` is its JSON."""

    server: "Server"
    protocol_version = "HTTP/1.1"
    sent: Any

    def do_POST(self) -> None:
        self.sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.api.calls.append(self)
        self.server.api.called.set()
        self.server.api.answer(self)

    def log_request(self, *_: Any) -> None:
        """Tests look at `calls` instead."""

    def reply(self, code: int, body: object, **headers: str) -> None:
        """Answers with JSON, or with literal bytes, and closes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        given = {"Content-Type": "application/json", "Connection": "close"} | headers
        for name, value in (given | {"Content-Length": str(len(content))}).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)


Behaviour = Callable[[Call], None]


class Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them
    api: "FakeMandrill"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who gave up is nothing to tell of."""

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.api.closed.set()


class FakeMandrill:
    """The running server. Use as a context manager."""

    def __init__(self, certificate: Path | None = None) -> None:
        """With the path of a certificate and its key in one PEM file it speaks TLS."""
        self.calls: list[Call] = []
        self.answer: Behaviour = documented
        # Set when nobody needs the answers that are being held back any more.
        self.released = threading.Event()
        # Set when a call has come.
        self.called = threading.Event()
        # Set when a connection was closed.
        self.closed = threading.Event()
        self._server = Server(("127.0.0.1", 0), Call)
        self._server.api = self
        if certificate is not None:
            context = SSLContext(PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_port
        self.scheme = "http" if certificate is None else "https"
        self.url = f"{self.scheme}://127.0.0.1:{self.port}/api/1.0/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )

    def __enter__(self) -> "FakeMandrill":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the server; nobody listens on its port any more."""
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def documented(call: Call) -> None:
    """A mail is sent, but not for anybody without the key, and not elsewhere."""
    if call.path != "/api/1.0/messages/send":
        refusing("Unknown_Method", -1, 404)(call)
    elif call.sent["key"] != KEY:
        refusing("Invalid_Key", -1)(call)
    else:
        reporting("sent")(call)


def reporting(status: Any, **more: Any) -> Behaviour:
    """A report for each recipient: `sent`, `queued`, `scheduled`, `rejected` or `invalid`."""

    def answer(call: Call) -> None:
        reports = [
            {"email": to["email"], "status": status, "_id": "5b0f4c", "reject_reason": None} | more
            for to in call.sent["message"]["to"]
        ]
        call.reply(200, reports)

    return answer


def refusing(name: str, code: int, http: int = 500) -> Behaviour:
    """The call itself is refused."""
    error = {"status": "error", "code": code, "name": name, "message": "Words for people"}
    return replying(http, error)


def replying(http: int, body: object, **headers: str) -> Behaviour:
    """Any answer of HTTP."""
    return lambda call: call.reply(http, body, **headers)


def held_back(call: Call) -> None:
    """Sends the mail once somebody sets `released`."""
    call.server.api.released.wait(LIMIT)
    documented(call)


def silent(call: Call) -> None:
    """Takes the call and never answers."""
    call.server.api.released.wait(LIMIT)
    call.close_connection = True


def dripping(call: Call) -> None:
    """Sends byte after byte, each in good time, and never comes to an end."""
    call.send_response(200)
    call.send_header("Content-Length", "1000000")
    call.end_headers()
    with suppress(OSError):
        while not call.server.api.released.wait(0.02):
            call.wfile.write(b" ")
    call.close_connection = True


def cutting(call: Call) -> None:
    """Closes the connection in the middle of an answer."""
    call.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{"status": "sent"')
    call.close_connection = True


def closing_unannounced(call: Call) -> None:
    """Lets the caller believe that the connection stays, and closes it."""
    call.reply(200, [{"status": "sent"}], Connection="keep-alive")
    call.close_connection = True


def hanging_up(call: Call) -> None:
    """Closes the connection without a word."""
    call.close_connection = True
