"""Servers that tests talk to: the second server, the Mandrill API, and servers of scripted bytes.

What the Mandrill server returns next is set by `answer`: one of its functions below, or another
that takes the call and writes to it.
"""

import asyncio
import json
import re
import signal
import ssl
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

from anyio.from_thread import start_blocking_portal
from support.command import environment
from support.limits import LIMIT, communicate, kill_when_hung

from clients_register.spec.statuses import StatusTable, load_statuses

TESTS = Path(__file__).parents[1]
COMMAND = (sys.executable, "-m", "teeth.second", "--port", "0")
ROUTE = "/api/v1/clients/register"
PASSWORD = "correct horse battery staple"

_NUMBERS = count()


def _spelt() -> StatusTable:
    whole = load_statuses()
    return whole.with_spelling(whole.aliases[0].slug)


# As this server spells them.
STATUSES = _spelt()


def fresh() -> str:
    """An address that was not used before in this process, whose servers are its own."""
    return f"someone.{next(_NUMBERS)}@tests.test"


def packed(params: object) -> bytes:
    """`params` as the route takes them."""
    return b64encode(json.dumps(params).encode())


@dataclass(frozen=True)
class Reply:
    """An answer; `headers` are as they were written."""

    code: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def envelope(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def slug(self) -> str:
        return str(self.envelope["status"])

    @property
    def faults(self) -> list[tuple[str, str]]:
        return [(each["attr"], each["message"]) for each in self.envelope["errors"]]


def is_refused(reply: Reply, fact: str) -> bool:
    """Whether it is answered that `fact` does not hold."""
    return reply.slug == STATUSES.for_rule(fact).slug


def succeeded(reply: Reply) -> bool:
    """Whether a client was registered."""
    return reply.slug == STATUSES.success.slug


class Second:
    """A running second server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        with kill_when_hung(process):
            self.line = process.stdout.readline()
        found = re.fullmatch(r"listening http://127\.0\.0\.1:(\d+)\n", self.line)
        assert found is not None, self.line
        self.port = int(found[1])

    def send(
        self, body: bytes = b"", method: str = "POST", path: str = ROUTE, **headers: str
    ) -> Reply:
        """One exchange with literal bytes; text/plain unless `headers` say otherwise."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            sent = {"Content-Type": "text/plain"}
            sent |= {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def post(self, params: object) -> Reply:
        """POSTs `params`, encoded."""
        return self.send(packed(params))

    def register(self, email: str | None = None, **changes: Any) -> Reply:
        """Registers `email`, or a fresh address; `client` in `changes` is merged into the one."""
        client = {"email": email or fresh(), "password": PASSWORD} | changes.pop("client", {})
        return self.post({"application": "planoauth", "client": client} | changes)

    def hook(self, state: str, **values: Any) -> Reply:
        """Asks for a state."""
        content = json.dumps({"state": state, "values": values}).encode()
        return self.send(content, path="/hooks", Content_Type="application/json")

    def arrange(self, state: str, **values: Any) -> dict[str, Any]:
        """Brings about a state; returns its placeholders."""
        reply = self.hook(state, **values)
        assert reply.code == 200, reply.body
        return reply.envelope

    def count(self, what: str, email: str) -> int:
        """How many `clients` or `mails` of an address there are."""
        return int(self.arrange(f"count-{what}", email=email)["count"])

    def stop(self, number: signal.Signals) -> int:
        """Tells it to end; returns its exit code."""
        self.process.send_signal(number)
        communicate(self.process)
        return int(self.process.returncode)


@contextmanager
def second_server() -> Iterator[Second]:
    """A second server on a free port, ended afterwards."""
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, text=True, env=environment(PYTHONPATH=str(TESTS))
    ) as process:
        try:
            yield Second(process)
        finally:
            process.terminate()


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
        # Set once the responses that are being held back are no longer needed.
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
        """Ends the server; its port is closed afterwards."""
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


Streams = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(
    talk: Streams, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """The origin of a server that talks so on every connection."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(once, host, 0, ssl=tls)
    named = f"[{host}]" if ":" in host else host
    try:
        yield f"{'https' if tls else 'http'}://{named}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@contextmanager
def running(talk: Streams, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The origin of a server in a thread that talks so on every connection."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serving(talk, tls=tls)) as origin,
    ):
        yield origin


def relay(host: str | None, port: int | None) -> Streams:
    """Passes bytes to a server and back."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(host, port)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while piece := await source.read(65_536):
                    sink.write(piece)
                    await sink.drain()
            sink.close()

        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
        await inner_writer.wait_closed()

    return talk


def tunnel(host: str | None, port: int | None, connected: list[bytes]) -> Streams:
    """A proxy that supports only CONNECT, and connects with one server whatever the request says.

    `connected` gets the first line of each request.
    """

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readuntil(b"\r\n\r\n")).splitlines()[0]
        connected.append(line)
        if not line.startswith(b"CONNECT "):
            writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await relay(host, port)(reader, writer)

    return talk


def saying(*answers: bytes, heard: list[bytes] | None = None) -> Streams:
    """Answers each request on a connection with the next of `answers`, then closes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(4) if b"Content-Length: 4" in head else b""
            if heard is not None:
                heard.append(head + body)
            writer.write(answer)
            await writer.drain()

    return talk


def counted(talk: Streams) -> tuple[Streams, list[int]]:
    """`talk`, and a list that gets an item for each connection."""
    opened: list[int] = []

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        await talk(reader, writer)

    return counting, opened
