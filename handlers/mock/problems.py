"""Complaints about the use of the stub itself: problem details (RFC 9457) with a hint.

They are marked by a media type and a header of their own, so that no caller takes one for an answer
of the stubbed API.
"""

import difflib
import json
from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any

from starlette.types import Send

from clients_register.handlers.mock.headers import Header, Headers

# Words that a hint lists: enough for all statuses and paths, and an end to the users of a world.
LISTED = 24


class Problem(Exception):
    """Something was asked of the stub that it cannot do.

    `kind` is a word for programs; `detail` says what was expected, found and where; `hint` what to
    do next. `code` is the HTTP code, `headers` are what that code asks for.
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

    async def answer(self, send: Send, headers: Headers) -> None:
        """Sends the complaint, with `headers` beside its own."""
        body = json.dumps(self.details(), ensure_ascii=False).encode()
        own = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"mock-error", self.kind.encode()),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.code, "headers": own + headers})
        await send({"type": "http.response.body", "body": body})

    def details(self) -> dict[str, Any]:
        """The problem details."""
        return {
            "type": "about:blank",
            "title": self.kind.replace("-", " ").capitalize(),
            "status": self.code,
            "detail": self.detail,
            "hint": self.hint,
        }


def suggestion(word: str, known: Collection[str]) -> str:
    """A hint that names the closest of the `known` words, and then what there is."""
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    listed = f"There are: {', '.join(islice(known, LISTED))}{more}"
    # A word of several is often remembered by one of them: success for action-successful.
    parts = {part: name for name in known for part in name.split("-")}
    close = difflib.get_close_matches(word, known, n=1) or [
        parts[part] for part in difflib.get_close_matches(word, parts, n=1)
    ]
    return f"Did you mean {close[0]}? {listed}" if close else listed
