"""Responses of the stub itself: problem details (RFC 9457) with a hint, and header helpers.

A problem has its own media type and header, so that it cannot be mistaken for a response of the
stubbed API.
"""

import json
from collections.abc import Iterable
from typing import Any

from starlette.types import Message, Send

from clients_register.handlers.http.parser import Header
from clients_register.handlers.settings import PROBLEM

Headers = list[Header]


class Problem(Exception):
    """The stub was used incorrectly, or an upstream does not respond.

    `kind` identifies the problem for programs; `detail` says what was expected, found and where;
    `hint` what to do next. `code` is the HTTP status code, with the `headers` it requires.
    """

    def __init__(
        self, kind: str, detail: str, hint: str, code: int = 400, headers: Iterable[Header] = ()
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.hint = hint
        self.code = code
        self.headers = tuple(headers)

    def details(self) -> dict[str, Any]:
        """The problem details."""
        return {
            "type": "about:blank",
            "title": self.kind.replace("-", " ").capitalize(),
            "status": self.code,
            "detail": self.detail,
            "hint": self.hint,
        }

    async def send(self, send: Send, headers: Headers) -> None:
        """Sends the problem as a response, with additional `headers`."""
        body = json.dumps(self.details(), ensure_ascii=False).encode()
        own = [
            (b"content-type", PROBLEM.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"mock-error", self.kind.encode()),
            *self.headers,
        ]
        for message in response_messages(self.code, own + headers, body):
            await send(message)


def response_messages(code: int, headers: Headers, body: bytes = b"") -> list[Message]:
    """Returns the ASGI messages of a complete response."""
    return [
        {"type": "http.response.start", "status": code, "headers": headers},
        {"type": "http.response.body", "body": body},
    ]


def with_headers(headers: Headers, send: Send) -> Send:
    """Wraps `send` so that it adds `headers` to the response."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *headers]}
        await send(message)

    return send_with_headers
