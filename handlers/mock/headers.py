"""Headers that a layer of the stub puts on whatever goes out through it."""

from starlette.types import Message, Send

Header = tuple[bytes, bytes]
Headers = list[Header]


def adding(headers: Headers, send: Send) -> Send:
    """A `send` that adds `headers` to the answer."""

    async def added(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *headers]}
        await send(message)

    return added
