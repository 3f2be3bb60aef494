"""Answers that the stub makes itself, and headers that its layers put on those of others."""

from starlette.types import Message, Send

Header = tuple[bytes, bytes]
Headers = list[Header]


def whole(code: int, headers: Headers, body: bytes) -> list[Message]:
    """An answer as ASGI has it."""
    return [
        {"type": "http.response.start", "status": code, "headers": headers},
        {"type": "http.response.body", "body": body},
    ]


def adding(headers: Headers, send: Send) -> Send:
    """A `send` that adds `headers` to the answer."""

    async def added(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *headers]}
        await send(message)

    return added
