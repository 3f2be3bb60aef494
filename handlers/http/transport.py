"""Helpers for asyncio transports: the ASGI scope of a connection, and its reset."""

import socket
import struct
from asyncio import Transport

from starlette.types import Scope

# SO_LINGER on, with a timeout of 0: closing sends a reset (RST) instead of FIN.
_LINGER = struct.pack("ii", 1, 0)


def connection_scope(transport: Transport) -> Scope:
    """Returns what the scopes of all requests of a connection have in common."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": _address(transport, "sockname"),
        "client": _address(transport, "peername"),
        "scheme": "http",
        "root_path": "",
    }


def reset(transport: Transport) -> None:
    """Resets a connection, which no client takes for the end of a response."""
    if not transport.is_closing():
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        transport.abort()


def _address(transport: Transport, name: str) -> tuple[str, int] | None:
    address = transport.get_extra_info(name)
    return (str(address[0]), int(address[1])) if isinstance(address, tuple) else None
