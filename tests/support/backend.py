"""A backend for the stub to forward requests to; a test chooses the bytes of its responses."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Self

from support.limits import LIMIT


class Exchange:
    """A request whose head was read, and the connection that it arrived on."""

    def __init__(self, connection: socket.socket, head: bytes, rest: bytes) -> None:
        self.connection = connection
        self.head = head.decode("latin-1")
        self._rest = rest
        self.line, *lines = self.head.split("\r\n")
        # In the order of arrival, with names in lower case.
        self.headers = [
            (name.lower(), value.strip())
            for name, _, value in (one.partition(":") for one in lines)
        ]

    def values(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each == name]

    def read(self, size: int) -> bytes:
        """Reads exactly `size` bytes of the body."""
        while len(self._rest) < size:
            self._rest += _receive(self.connection)
        body, self._rest = self._rest[:size], self._rest[size:]
        return body

    def read_until(self, end: bytes) -> bytes:
        """Reads the body as it is framed, up to and with `end`."""
        while end not in self._rest:
            self._rest += _receive(self.connection)
        found, _, self._rest = self._rest.partition(end)
        return found + end

    def send(self, content: bytes) -> None:
        self.connection.sendall(content)

    def respond(self, body: bytes = b"", *lines: str, status: str = "200 OK") -> None:
        """Sends a whole response with the header `lines`."""
        head = [f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}", "", ""]
        self.send("\r\n".join(head).encode("latin-1") + body)

    def is_left(self) -> bool:
        """Waits until the other side has closed the connection."""
        try:
            return self.connection.recv(1) == b""
        except ConnectionResetError:
            return True


Answer = Callable[[Exchange], object]


def echo(exchange: Exchange) -> None:
    """Responds with the request line."""
    for length in exchange.values("content-length"):
        exchange.read(int(length))
    body = exchange.line.encode()
    if exchange.line.startswith("HEAD"):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
    else:
        exchange.respond(body)


class Backend:
    """A running backend. Use as a context manager."""

    def __init__(self, certificate: Path | None = None) -> None:
        """With the path of a certificate and its key in one PEM file it speaks TLS."""
        self.answer: Answer = echo
        self.exchanges: list[Exchange] = []
        self.connections = 0
        self._certificate = certificate
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "http" if certificate is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        # Wakes `accept`, which closing alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(LIMIT)
        self._listener.close()
        for connection in [*self._open]:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join(LIMIT)

    @property
    def last(self) -> Exchange:
        return self.exchanges[-1]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=[connection])
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        if self._certificate is not None:
            context = SSLContext(PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            try:
                connection = context.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
        self._open.add(connection)
        connection.settimeout(LIMIT)
        # Ends when either side has closed it.
        with connection, suppress(OSError):
            while True:
                received = b""
                while b"\r\n\r\n" not in received:
                    received += _receive(connection)
                exchange = Exchange(connection, *received.split(b"\r\n\r\n", 1))
                self.exchanges.append(exchange)
                self.answer(exchange)
        self._open.discard(connection)


def _receive(connection: socket.socket) -> bytes:
    part = connection.recv(65536)
    if not part:
        raise ConnectionError("the other side has closed the connection")
    return part
