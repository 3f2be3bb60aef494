"""A world of the stub in the hands of a test: where to send to, what to force, what was seen."""

import base64
import json as json_
from typing import Any

import httpx

# Seconds that any answer of the stub may take: more than the 60 that it may be asked to wait.
PATIENCE = 70.0


class ControlError(Exception):
    """The control plane complained; the message is the complaint, with its hint."""


class Clock:
    """The time of a world. Durations are ISO 8601, such as P8D, times have a zone."""

    def __init__(self, world: "World") -> None:
        self._world = world

    @property
    def now(self) -> str:
        """The time, such as 2026-01-15T09:30:00.000Z."""
        return str(self._world.control("GET", "/clock")["now"])

    def advance(self, duration: str) -> None:
        """Moves the time on by `duration`. Raises ControlError where that is none."""
        self._world.control("PUT", "/clock", {"advance": duration})

    def set(self, now: str, *, frozen: bool = False) -> None:
        """Sets the time, from where it ticks on unless `frozen`. Raises ControlError."""
        self._world.control("PUT", "/clock", {"now": now, "frozen": frozen})


class World:
    """One isolated world: its own clients, clock, script, mails, requests and coverage."""

    def __init__(self, http: httpx.Client, base: str, name: str) -> None:
        self.name = name
        #: What a program under test takes for the API's address.
        self.base = base
        self._http = http
        origin = str(httpx.URL(base).copy_with(raw_path=b"/")).rstrip("/")
        #: The route itself.
        self.url = origin + str(self.control("GET", "/health")["route"])
        self.clock = Clock(self)

    def __repr__(self) -> str:
        return f"<World {self.base}>"

    @staticmethod
    def encode(params: object) -> bytes:
        """The body that carries `params`: base64 of JSON in UTF-8."""
        return base64.b64encode(json_.dumps(params).encode())

    def send(self, params: object, **headers: str) -> httpx.Response:
        """POSTs `params` to the route; underscores in names of `headers` stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._http.post(
            self.url, content=self.encode(params), headers={"Content-Type": "text/plain"} | named
        )

    def control(self, method: str, path: str, json: object = None) -> Any:
        """What this world's control plane answers, None for nothing. Raises ControlError.

        `path` is such as /faults; spec/control.yaml lists them all.
        """
        return ask(self._http, method, f"{self.base}/_mock{path}", json)

    def force(self, *items: str | dict[str, Any]) -> None:
        """Scripts the next answers of the route: slugs, or such as {"fault": "reset"}.

        Takes the place of what was scripted before. Raises ControlError.
        """
        self.control("PUT", "/next", list(items))

    def outbox(
        self, to: str | None = None, *, request: str | None = None, wait: float = 0
    ) -> list[dict[str, Any]]:
        """The mails, oldest first, to an address or caused by a request (its X-Request-Id).

        Waits up to `wait` seconds for the first one.
        """
        found: list[dict[str, Any]] = self.control("GET", _mails("/outbox", to, request, wait))
        return found

    def latest_mail(
        self, to: str | None = None, *, request: str | None = None, wait: float = 5
    ) -> dict[str, Any]:
        """The newest of those mails. Raises ControlError where none came in `wait` seconds."""
        found: dict[str, Any] = self.control("GET", _mails("/outbox/latest", to, request, wait))
        return found

    def requests(self) -> list[dict[str, Any]]:
        """What was asked and answered, oldest first, each with the explanation of its answer."""
        found: list[dict[str, Any]] = self.control("GET", "/requests")
        return found

    def coverage(self) -> dict[str, Any]:
        """Which statuses were met, by the rules and by force."""
        found: dict[str, Any] = self.control("GET", "/coverage")
        return found

    def story(self) -> str:
        """What was asked and answered, and why, a line per request."""
        lines = (
            f"{entry['method']} {entry['path']} -> {entry['code']} {entry['status']}:"
            f" {entry['explanation']['summary']}"
            for entry in self.requests()
        )
        return "\n".join(lines) or "nothing was asked"


def ask(http: httpx.Client, method: str, url: str, json: object = None) -> Any:
    """The decoded answer of a control plane, None where it is empty. Raises ControlError."""
    answer = http.request(method, url, json=json)
    if "Mock-Error" in answer.headers:
        problem = answer.json()
        raise ControlError(f"{method} {url}: {problem['detail']}. {problem['hint']}")
    answer.raise_for_status()
    return answer.json() if answer.content else None


def _mails(path: str, to: str | None, request: str | None, wait: float) -> str:
    given = {"to": to, "request": request, "wait": f"{wait:g}"}
    query = httpx.QueryParams({name: value for name, value in given.items() if value is not None})
    return f"{path}?{query}"
