"""Counts the instructions that a server executes per request, with callgrind.

Unlike time, they hardly depend on anything else that the machine does: two runs differ by less than
1 %. Those of the kernel are not counted, nor those of child processes.
"""

import base64
import json
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import servers

Start = Callable[[Sequence[str]], AbstractContextManager[servers.Server]]

REQUESTS = 512
WARM_UP = 320


def available() -> bool:
    """Whether valgrind is installed."""
    return shutil.which("valgrind") is not None


def count(start: Start, kind: str, connections: int) -> float:
    """Returns the instructions per request of that kind, sent on all connections at once.

    `start` runs the server under the command it is given.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        callgrind = [
            *("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--log-file={log}"),
            f"--callgrind-out-file={Path(folder) / 'out'}",
        ]
        with start(callgrind) as server, ExitStack() as stack:
            links = [
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                for _ in range(connections)
            ]
            send(links, server.port, kind, range(WARM_UP))
            control("on", server.pid)
            send(links, server.port, kind, range(WARM_UP, WARM_UP + REQUESTS))
            control("off", server.pid)
        found = re.search(r"Collected : ([0-9]+)", log.read_text("utf-8"))
        assert found is not None, log.read_text("utf-8")
        return int(found[1]) / REQUESTS


def control(state: str, pid: int) -> None:
    """Starts or stops counting."""
    subprocess.run(
        [shutil.which("callgrind_control") or "", "-i", state, str(pid)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def send(links: Sequence[socket.socket], port: int, kind: str, numbers: range) -> None:
    """Sends one request per number, on all connections in turn, and reads the responses."""
    for first in numbers[:: len(links)]:
        for offset, link in enumerate(links):
            link.sendall(request(port, kind, first + offset))
        for link in links:
            read_response(link)


def request(port: int, kind: str, number: int) -> bytes:
    """Returns a request like those of load.lua."""
    email = f"bench.{number}@bench.test" if kind == "registered" else "client@personas.test"
    client = {"email": email, "password": "correct horse"}
    params = {} if kind == "forced" else {"application": "planoauth", "client": client}
    body = base64.b64encode(json.dumps(params, separators=(",", ":")).encode())
    lines = [
        f"POST {servers.ROUTE} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: text/plain",
        *(["Prefer: code=400, example=missing-param"] if kind == "forced" else []),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def read_response(link: socket.socket) -> None:
    """Reads one response, whose length its header states."""
    received = b""
    while True:
        piece = link.recv(65536)
        assert piece, "expected a response, found the connection closed"
        received += piece
        head, end, body = received.partition(b"\r\n\r\n")
        if end:
            length = re.search(rb"content-length: ([0-9]+)", head, re.IGNORECASE)
            assert length is not None, head
            if len(body) >= int(length[1]):
                return
