"""Measures what it costs to give each test a world in a saved state.

    python bench/snapshots.py [--rounds N]

Each request goes to a running stub over one connection, and the time is that of the whole request,
as a test waits for it. Before each measured request a client is registered in the world, so that
there is something to replace. All requests are measured in turn; the table shows medians, the 99th
percentile, and the ratio to `GET /_mock/health`, which costs only HTTP.

The small world contains the personas, the large one 1,000 clients more.
"""

import argparse
import json
import statistics
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection

import servers

SIZES = {"personas": 0, "1,000 clients": 1000}
TARGET = 5.0  # ms, for the restoration of the small world
BASELINE = "GET /health"
SUCCESS = (HTTPStatus.OK, HTTPStatus.NO_CONTENT)


class Caller:
    """Sends requests to a stub over one connection."""

    def __init__(self, port: int) -> None:
        """`port` is one of this machine."""
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._registered = 0

    def send(self, method: str, path: str, body: object = None) -> float:
        """Returns the time of one request in seconds; stops the benchmark if it fails."""
        content = b"" if body is None else json.dumps(body).encode()
        begun = time.perf_counter()
        code, text = self._send(method, path, content, "application/json")
        elapsed = time.perf_counter() - begun
        if code not in SUCCESS:
            raise SystemExit(f"{method} {path}: expected success, found {code} {text!r:.200}")
        return elapsed

    def register(self, world: str) -> None:
        """Registers another client in `world`."""
        self._registered += 1
        params = {
            "application": "planoauth",
            "client": {
                "email": f"client{self._registered}@bench.test",
                "password": "correct horse",
                "first_name": "Ada",
                "last_name": "Lovelace",
            },
        }
        content = b64encode(json.dumps(params).encode())
        code, text = self._send("POST", f"/_world/{world}{servers.ROUTE}", content, "text/plain")
        if code not in SUCCESS:
            raise SystemExit(f"registration: expected success, found {code} {text!r:.200}")

    def _send(self, method: str, path: str, content: bytes, media_type: str) -> tuple[int, bytes]:
        self._connection.request(method, path, content, {"Content-Type": media_type})
        response = self._connection.getresponse()
        return response.status, response.read()


@contextmanager
def stub() -> Iterator[Caller]:
    """Runs a stub that has one world for each size, and a snapshot of each."""
    with servers.product() as server:
        caller = Caller(server.port)
        for number, clients in enumerate(SIZES.values()):
            for _ in range(clients):
                caller.register(f"w{number}")
            caller.send("PUT", f"/_world/w{number}/_mock/snapshots/w{number}")
        yield caller


def measure(rounds: int) -> Mapping[tuple[str, str], list[float]]:
    """Measures all requests in turn, `rounds` times; returns their times in seconds."""
    times: dict[tuple[str, str], list[float]] = {}
    with stub() as caller:
        for round_number in range(-1, rounds):
            for number, size in enumerate(SIZES):
                world, snapshot = f"/_world/w{number}/_mock", {"snapshot": f"w{number}"}
                requests = {
                    BASELINE: ("GET", f"{world}/health", None),
                    "PUT /snapshots/NAME": ("PUT", f"{world}/snapshots/other", None),
                    "POST /reset, snapshot": ("POST", f"{world}/reset", snapshot),
                    "PUT /worlds/NAME, snapshot": ("PUT", "/_mock/worlds/copy", snapshot),
                }
                for name, request in requests.items():
                    caller.register(f"w{number}")
                    found = caller.send(*request)
                    # The first round warms up.
                    if round_number >= 0:
                        times.setdefault((name, size), []).append(found)
                caller.send("DELETE", "/_mock/worlds/copy")
                caller.send("POST", f"{world}/reset", snapshot)
    return times


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    times = measure(options.rounds)
    print(f"{options.rounds} rounds; milliseconds; target: {TARGET:.0f} to restore the personas")
    print(f"{'request':<28}{'world':>15}{'median':>9}{'p99':>9}{'ratio':>8}")
    for (name, size), found in times.items():
        alone = statistics.median(times[BASELINE, size])
        middle, worst = statistics.median(found), statistics.quantiles(found, n=100)[98]
        print(
            f"{name:<28}{size:>15}{middle * 1e3:>9.2f}{worst * 1e3:>9.2f}"
            f"{f'x{middle / alone:.1f}':>8}"
        )


if __name__ == "__main__":
    main()
