"""The access log: one line per request, with the response and how long it took.

It contains no query, header or body, which may be secret.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TypedDict, Unpack

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clients_register.handlers.log_output import FIELDS, access

# The key of the ASGI extension with what the application adds to the line of a request.
DETAILS = "clients_register.access"


class Details(TypedDict, total=False):
    """What only the application knows of a response: `forced` and `forwarded_to` say its origin."""

    request_id: str
    status: str | None
    forced: str | None
    forwarded_to: str | None


def add_details(scope: Scope, **details: Unpack[Details]) -> None:
    """Adds `details` to the line of a request, if there is one."""
    found: Details | None = scope.get("extensions", {}).get(DETAILS)
    if found is not None:
        found.update(details)


class AccessLog:
    """Calls an application, and logs a line for each request when its response has ended."""

    def __init__(self, app: ASGIApp, is_left_out: Callable[[str], bool]) -> None:
        """Requests whose path `is_left_out` have no line."""
        self._app = app
        self._is_left_out = is_left_out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a scope of type `http`."""
        if self._is_left_out(scope["path"]):
            await self._app(scope, receive, send)
            return
        details = Details()
        exchange = _Exchange(scope, details, send)
        extensions = {**scope.get("extensions", {}), DETAILS: details}
        try:
            await self._app({**scope, "extensions": extensions}, receive, exchange.send)
        finally:
            exchange.log()


class _Exchange:
    """A request, and what is known of its response."""

    def __init__(self, scope: Scope, details: Details, send: Send) -> None:
        self._scope = scope
        self._details = details
        self._send = send
        self._started = time.perf_counter()
        self._code: int | None = None
        self._is_complete = False

    async def send(self, message: Message) -> None:
        """Takes the place of ASGI's `send`."""
        if message["type"] == "http.response.start":
            self._code = message["status"]
        elif not message.get("more_body", False):
            self._is_complete = True
        await self._send(message)

    def log(self) -> None:
        """Logs the line."""
        milliseconds = round((time.perf_counter() - self._started) * 1000, 1)
        address, method = self._scope["client"], self._scope["method"]
        client = address[0] if address else "unknown"
        # Escaped, so that nobody can make lines of their own.
        path = self._scope["raw_path"].decode("latin-1").encode("unicode_escape").decode()
        fields = {
            "client": client,
            "method": method,
            "path": path,
            "code": self._code,
            "complete": self._is_complete,
            "milliseconds": milliseconds,
            **{name: value for name, value in self._details.items() if value is not None},
        }
        words = (client, method, path, *self._describe_response(), f"{milliseconds} ms")
        access.info("%s", " ".join(words), extra={FIELDS: fields})

    def _describe_response(self) -> list[str]:
        if self._code is None:
            return ["no response"]
        details = self._details
        words = [str(self._code), details.get("status") or _phrase(self._code)]
        if forced := details.get("forced"):
            words.append(f"forced by {forced}")
        if forwarded_to := details.get("forwarded_to"):
            words.append(f"from {forwarded_to}")
        if not self._is_complete:
            words.append("broken off")
        return words


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""
