"""One request and its answer on the wire: the body read within bounds, the envelope sent."""

import secrets
from dataclasses import dataclass
from itertools import count

from starlette.types import Message, Receive, Scope, Send

from clients_register.handlers.answers import Answer
from clients_register.handlers.attempt import Attempt, Request
from clients_register.handlers.services import Services

# The key of the ASGI scope under which the layers hand an exchange on.
EXCHANGE = "clients_register.exchange"

# How much is read past the limit, so that a caller who sends everything before reading gets the
# answer (Q-BODY-LIMIT). Past that the connection is closed.
GRACE = 1024 * 1024


# Drawing each id from the system takes as long as all else about it.
_NUMBERS = count(secrets.randbits(63))


class CallerGone(Exception):
    """The connection ended before the request did; nobody is there to be answered."""


@dataclass(slots=True)
class Exchange:
    """A request that was read, what serves it, and what became of it: layers outside may look."""

    request: Request
    services: Services
    read_to_the_end: bool
    attempt: Attempt | None = None
    answered: Answer | None = None

    async def answer(self, send: Send, answer: Answer) -> None:
        """Sends `answer`, under the id of the request (Q-HEADERS)."""
        self.answered = answer
        body = answer.encoded()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", self.request.id.encode()),
        ]
        if not self.read_to_the_end:
            headers.append((b"connection", b"close"))
        status = answer.status.code
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def read(scope: Scope, receive: Receive, max_body: int) -> tuple[Request, bool]:
    """The request that `scope` and `receive` are, and whether its body was read to the end.

    `max_body` is in bytes. Raises CallerGone.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        # Nearly every body comes whole, with its head.
        whole: bytes = message.get("body", b"")
        body, complete = (whole if len(whole) <= max_body else None), True
    else:
        body, complete = await _rest(message, receive, max_body)
    content_type = content_encoding = None
    for name, value in scope["headers"]:
        if name == b"content-type" and content_type is None:
            content_type = value.decode("latin-1")
        elif name == b"content-encoding" and content_encoding is None:
            content_encoding = value.decode("latin-1")
    return Request(new_id(), content_type or "", content_encoding or "", body), complete


def new_id() -> str:
    """The id of a request: different on each, also in other servers and after a restart."""
    return f"{next(_NUMBERS):016x}"


async def _rest(message: Message, receive: Receive, limit: int) -> tuple[bytes | None, bool]:
    """The raw body, None where it is over `limit`; and whether it was read to its end.

    `message` is the first that was received. Raises CallerGone.
    """
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise CallerGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        else:
            chunks.clear()
        if not message.get("more_body", False):
            return (b"".join(chunks) if size <= limit else None), True
        if size > limit + GRACE:
            return None, False
        message = await receive()
