"""Connections to a server, for bytes that no client library would send."""

import socket

from support.limits import LIMIT
from support.live import Live


def connected(server: Live) -> socket.socket:
    host, _, port = server.origin.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=LIMIT)


def raw(server: Live, request: str, body: bytes = b"") -> bytes:
    """Sends literal bytes, whose connection is to be closed afterwards; returns the response."""
    with connected(server) as client:
        client.sendall(request.replace("\n", "\r\n").encode("latin-1") + body)
        return b"".join(iter(lambda: client.recv(65536), b""))


def is_closed(client: socket.socket) -> bool:
    """Waits until the server closes or resets the connection."""
    try:
        return b"" in iter(lambda: client.recv(65536), None)
    except ConnectionResetError:
        return True


def reset_at_close(client: socket.socket) -> None:
    """Closing the connection will send a reset (RST) instead of FIN."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
