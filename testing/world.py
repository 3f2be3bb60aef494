"""A world of the stub, for one test: its address, its control plane, and its records."""

import base64
import json as json_
import sys
from types import FrameType, TracebackType
from typing import Any, NamedTuple

import httpx2

# For pytest: a traceback ends at the line of the test that called this module.
__tracebackhide__ = True

# Timeout for any response, in seconds: more than the 60 that the stub can be asked to wait.
TIMEOUT = 70.0

# Characters of an unexpected response that a message shows.
MAX_SHOWN = 500


class ControlError(Exception):
    """The control plane reported a problem; the message is the problem and its hint."""


class UnusedResponses(Exception):
    """Responses that a test forced were never requested; the message names them."""


class Clock:
    """The clock of a world. Durations are ISO 8601, such as P8D; times need a time zone."""

    def __init__(self, world: "World") -> None:
        self._world = world

    @property
    def now(self) -> str:
        """The current time, such as 2026-01-15T09:30:00.000Z."""
        return str(self._world.control("GET", "/clock")["now"])

    def advance(self, duration: str) -> None:
        """Advances the time by `duration`. Raises ControlError if it is invalid."""
        self._world.control("PUT", "/clock", {"advance": duration})

    def set(self, now: str, *, frozen: bool = False) -> None:
        """Sets the time, which then runs on unless `frozen`. Raises ControlError."""
        self._world.control("PUT", "/clock", {"now": now, "frozen": frozen})


class World:
    """An isolated world, with its own clients, clock, script, mails, request log and coverage."""

    def __init__(self, http: httpx2.Client, server: str, name: str | None = None) -> None:
        """`server` is the URL of the stub; without a `name`, it is its default world.

        Raises ControlError, such as for a wrong control token.
        """
        self._http = http
        self._forced: _Forced | None = None
        #: The URL of the world, for programs that append the whole path of a route to it.
        self.root = server if name is None else f"{server}/_world/{name}"
        health = self.control("GET", "/health")
        self.name = str(health["world"])
        #: The base URL of the API, such as http://127.0.0.1:4018/_world/my-test/api/v1.
        self.base = server + str(health["base"])
        #: The URL of the route.
        self.url = server + str(health["route"])
        self.clock = Clock(self)

    def __repr__(self) -> str:
        return f"<World {self.root}>"

    @staticmethod
    def encode(params: object) -> bytes:
        """Encodes `params` as a request body: base64 of JSON in UTF-8."""
        return base64.b64encode(json_.dumps(params).encode())

    def send(self, params: object, **headers: str) -> httpx2.Response:
        """POSTs `params` to the route; underscores in the names of `headers` become hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._http.post(
            self.url, content=self.encode(params), headers={"Content-Type": "text/plain"} | named
        )

    def control(self, method: str, path: str, json: object = None) -> Any:
        """Calls the control plane of this world; returns None for an empty response.

        `path` is such as /faults; spec/control.yaml lists them all. Raises ControlError.
        """
        url = f"{self.root}/_mock{path}"
        try:
            response = self._http.request(method, url, json=json)
        except httpx2.HTTPError as error:
            raise ControlError(f"{method} {url}: no response: {error}") from error
        if "Mock-Error" in response.headers:
            problem = response.json()
            raise ControlError(f"{method} {url}: {problem['detail']}. {problem['hint']}")
        if response.is_error:
            found = response.text[:MAX_SHOWN]
            raise ControlError(f"{method} {url}: found the code {response.status_code}: {found}")
        return response.json() if response.content else None

    def force(self, *items: str | dict[str, Any]) -> None:
        """Scripts the next responses of the route: slugs, or items such as {"fault": "reset"}.

        Replaces the previous script. In a test that passes, each item has to be used by at least
        one request; see `check_forced`. Raises ControlError.
        """
        self.control("PUT", "/next", list(items))
        self._forced = _Forced(len(items), _make_traceback(sys._getframe(1)))

    def check_forced(self) -> None:
        """Raises UnusedResponses if an item of the latest `force` has been used by no request.

        Its traceback ends at the line that called `force`. The plugin calls this for the fixture
        `clients_register`; there is nothing to check after `restore`.
        """
        forced, self._forced = self._forced, None
        if forced is None:
            return
        unused = [item for item in self.control("GET", "/next") if not item["used"]]
        if not unused:
            return
        names = ", ".join(item["slug"] or item["fault"] or "a delay" for item in unused)
        path = self.url.removeprefix(self.root)
        received = sum(
            (entry["method"], entry["path"]) == ("POST", path) for entry in self.requests()
        )
        hint = (
            "clear the rest with force() where that is intended"
            if received
            else f"does the program under test use the base URL {self.base}?"
        )
        raise UnusedResponses(
            f"no request used {len(unused)} of {forced.items} forced responses: {names}."
            f" Requests to {path} in this world: {received}; {hint}"
        ).with_traceback(forced.traceback)

    def save(self, snapshot: str) -> str:
        """Saves this world under the name `snapshot`, and returns the name.

        Raises ControlError for an invalid name.
        """
        self.control("PUT", f"/snapshots/{snapshot}")
        return snapshot

    def restore(self, snapshot: str | None = None) -> None:
        """Restores what was saved as `snapshot`, or the initial state; empties the request log.

        Raises ControlError if there is no such snapshot.
        """
        self.control("POST", "/reset", {} if snapshot is None else {"snapshot": snapshot})
        self._forced = None

    def outbox(
        self, to: str | None = None, *, request: str | None = None, wait: float = 0
    ) -> list[dict[str, Any]]:
        """Returns mails, oldest first, to an address or caused by a request (its X-Request-Id).

        Waits up to `wait` seconds for the first one.
        """
        found: list[dict[str, Any]] = self.control("GET", _mail_path("/outbox", to, request, wait))
        return found

    def latest_mail(
        self, to: str | None = None, *, request: str | None = None, wait: float = 5
    ) -> dict[str, Any]:
        """Returns the latest mail. Raises ControlError if none arrives within `wait` seconds."""
        found: dict[str, Any] = self.control("GET", _mail_path("/outbox/latest", to, request, wait))
        return found

    def requests(self) -> list[dict[str, Any]]:
        """Returns the request log, oldest first, with an explanation of each response."""
        found: list[dict[str, Any]] = self.control("GET", "/requests")
        return found

    def coverage(self) -> dict[str, Any]:
        """Returns how often each status was returned, by the rules and forced."""
        found: dict[str, Any] = self.control("GET", "/coverage")
        return found

    def summarize(self) -> str:
        """Summarizes the request log, one line per request."""
        lines = (
            f"{entry['method']} {entry['path']} -> {entry['code']} {entry['status']}:"
            f" {entry['explanation']['summary']}"
            for entry in self.requests()
        )
        return "\n".join(lines) or "no requests"


class _Forced(NamedTuple):
    """A call of `World.force`: the number of items, and the traceback that ends at its line."""

    items: int
    traceback: TracebackType | None


def _make_traceback(frame: FrameType | None) -> TracebackType | None:
    """Makes a traceback that ends at the present line of `frame`."""
    traceback = None
    while frame is not None:
        traceback = TracebackType(traceback, frame, frame.f_lasti, frame.f_lineno)
        frame = frame.f_back
    return traceback


def _mail_path(path: str, to: str | None, request: str | None, wait: float) -> str:
    parameters = {"to": to, "request": request, "wait": f"{wait:g}"}
    query = httpx2.QueryParams(
        {name: value for name, value in parameters.items() if value is not None}
    )
    return f"{path}?{query}"
