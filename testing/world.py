"""A world of the stub, for one test: its address, its control plane, and its records."""

import base64
import json as json_
from typing import Any

import httpx2

# Timeout for any response, in seconds: more than the 60 that the stub can be asked to wait.
TIMEOUT = 70.0


class ControlError(Exception):
    """The control plane reported a problem; the message is the problem and its hint."""


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

    def __init__(self, http: httpx2.Client, base: str, name: str) -> None:
        self.name = name
        #: The address of the API for the program under test.
        self.base = base
        self._http = http
        origin = str(httpx2.URL(base).copy_with(raw_path=b"/")).rstrip("/")
        #: The URL of the route.
        self.url = origin + str(self.control("GET", "/health")["route"])
        self.clock = Clock(self)

    def __repr__(self) -> str:
        return f"<World {self.base}>"

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
        return call_control(self._http, method, f"{self.base}/_mock{path}", json)

    def force(self, *items: str | dict[str, Any]) -> None:
        """Scripts the next responses of the route: slugs, or items such as {"fault": "reset"}.

        Replaces the previous script. Raises ControlError.
        """
        self.control("PUT", "/next", list(items))

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


def call_control(http: httpx2.Client, method: str, url: str, json: object = None) -> Any:
    """Calls a control plane; returns the decoded response, None if empty. Raises ControlError."""
    response = http.request(method, url, json=json)
    if "Mock-Error" in response.headers:
        problem = response.json()
        raise ControlError(f"{method} {url}: {problem['detail']}. {problem['hint']}")
    response.raise_for_status()
    return response.json() if response.content else None


def _mail_path(path: str, to: str | None, request: str | None, wait: float) -> str:
    parameters = {"to": to, "request": request, "wait": f"{wait:g}"}
    query = httpx2.QueryParams(
        {name: value for name, value in parameters.items() if value is not None}
    )
    return f"{path}?{query}"
