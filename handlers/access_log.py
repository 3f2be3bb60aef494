"""The access log: one line per request, with the response and how long it took.

It contains no query, header or body, which may be secret. Requests that the HTTP layer refuses have
a line as well, though they never reach the application.
"""

import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import TypedDict, Unpack

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clients_register.handlers.http.connection import connection_of
from clients_register.handlers.http.parser import Refusal
from clients_register.handlers.log_output import FIELDS, access

# The key of the ASGI extension with what the application adds to the line of a request.
DETAILS = "clients_register.access"

# Characters of a path or URL that a line shows. Lines stay below 4,096 bytes, up to which several
# processes can write to one pipe without mixing them (PIPE_BUF of Linux).
MAX_SHOWN = 300


class Details(TypedDict, total=False):
    """What only the application knows of a response.

    `forced` says what determined it, `fault` how it was broken on purpose, `forwarded_to` the URL
    that it came from, and `expected` where the route is, if the caller has a wrong base URL.
    """

    request_id: str
    status: str | None
    forced: str | None
    fault: str | None
    forwarded_to: str | None
    expected: str | None


def add_details(scope: Scope, **details: Unpack[Details]) -> None:
    """Adds `details` to the line of a request, if there is one."""
    found: Details | None = scope.get("extensions", {}).get(DETAILS)
    if found is not None:
        found.update(details)


class AccessLog:
    """Calls an application, and logs a line for each request when its response has ended."""

    def __init__(self, app: ASGIApp, is_left_out: Callable[[Scope], bool]) -> None:
        """Requests that are `is_left_out` have no line."""
        self._app = app
        self._is_left_out = is_left_out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a scope of type `http`."""
        if self._is_left_out(scope):
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
        self._connection = connection_of(scope)
        self._started = time.perf_counter()
        self._code: int | None = None
        self._is_complete = self._client_left = False

    async def send(self, message: Message) -> None:
        """Takes the place of ASGI's `send`."""
        if message["type"] == "http.response.start":
            self._code = message["status"]
            # Later, it may have left because it has everything.
            self._client_left = self._connection is not None and self._connection.departure.is_set()
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_complete = True

    def log(self) -> None:
        """Logs the line, unless the HTTP layer has refused the request and logged that."""
        if self._code is None and self._connection is not None and self._connection.refusal:
            return
        milliseconds = round((time.perf_counter() - self._started) * 1000, 1)
        fields = {
            **_request_fields(self._scope),
            "code": self._code,
            "complete": self._is_complete,
            "client_left": self._client_left,
            "milliseconds": milliseconds,
            **{name: value for name, value in self._details.items() if value is not None},
        }
        access.info(
            "%s %s %s ms",
            _describe_request(self._scope),
            " ".join(filter(None, self._describe_response())),
            milliseconds,
            extra={FIELDS: fields},
        )

    def _describe_response(self) -> Iterator[str | None]:
        details = self._details
        if self._code is None:
            yield "no response"
        else:
            yield str(self._code)
            yield details.get("status") or _phrase(self._code)
        if forced := details.get("forced"):
            yield f"forced by {forced}"
        if fault := details.get("fault"):
            yield f"fault {fault}"
        if forwarded_to := details.get("forwarded_to"):
            yield f"from {shorten(forwarded_to)}"
        if expected := details.get("expected"):
            yield f"expected {expected}"
        if self._code is not None and not self._is_complete:
            yield "broken off"
        if self._client_left:
            yield "client left"


def log_refusal(scope: Scope, refusal: Refusal) -> None:
    """Logs the refusal of a request by the HTTP layer; `scope` may lack what was not read."""
    fields = {**_request_fields(scope), "code": refusal.code, "complete": True}
    access.info("%s %d %s", _describe_request(scope), refusal.code, refusal, extra={FIELDS: fields})


def _request_fields(scope: Scope) -> dict[str, str]:
    fields = {"client": scope["client"][0] if scope["client"] else "unknown"}
    if "method" in scope:
        fields["method"] = scope["method"]
        fields["path"] = shorten(scope["raw_path"].decode("latin-1"))
    return fields


def _describe_request(scope: Scope) -> str:
    # Escaped, so that a path is one word of one line even where a parser lets more pass.
    return " ".join(
        each.encode("unicode_escape").decode() for each in _request_fields(scope).values()
    )


def shorten(text: str) -> str:
    """Cuts a path or URL to what a line shows."""
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _phrase(code: int) -> str | None:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return None
