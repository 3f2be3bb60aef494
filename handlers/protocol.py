"""uvicorn's protocol for HTTP, which sends a whole answer in one go.

uvicorn sends the head before it knows of a body, in a write of its own, and looks for characters
that no header may have by two patterns for each header. Here the head waits for the body, as ASGI
asks of servers, and is looked through once. That takes 3 to 8 microseconds of a processor from each
answer with eight headers; a bare application on uvicorn takes 21 in all.
"""

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)


class Cycle(RequestResponseCycle):
    """A request and its answer. Whatever is not plain is left to uvicorn, as it came."""

    _start: Message | None = None

    async def send(self, message: Message) -> None:  # type: ignore[override]
        """See the ASGI specification: a head is not sent before there is some body."""
        if message["type"] == "http.response.start" and not self.response_started:
            # One that is there already was followed by no body, and so by a crash: nobody has it.
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            if (
                message["type"] == "http.response.body"
                and not message.get("more_body", False)
                and self.keep_alive
                and not self.disconnected
                and not self.flow.write_paused
                and self.scope["method"] != "HEAD"
                and (content := self._plain(start, message.get("body", b""))) is not None
            ):
                self.response_started = self.response_complete = True
                self.waiting_for_100_continue = False
                self.transport.write(content)
                self.message_event.set()
                self.on_response()
                return
            await super().send(start)  # type: ignore[arg-type]
        await super().send(message)  # type: ignore[arg-type]

    def _plain(self, start: Message, body: bytes) -> bytes | None:
        """The answer as it goes out; None where it is not of that length, or not plain."""
        headers = [*self.default_headers, *start.get("headers", ())]
        named = dict(headers)
        if named.get(b"content-length") != b"%d" % len(body):
            return None
        if b"connection" in named or b"transfer-encoding" in named:
            return None
        head = b"\r\n".join(map(b": ".join, headers))
        # No value has begun a header of its own.
        breaks = len(headers) - 1
        if head.count(b"\n") != breaks or head.count(b"\r") != breaks:
            return None
        return b"".join((STATUS_LINE[start["status"]], head, b"\r\n\r\n", body))


class Protocol(HttpToolsProtocol):
    """One connection."""

    def on_headers_complete(self) -> None:
        """See `HttpToolsProtocol`."""
        super().on_headers_complete()
        if self.cycle is not None:
            # uvicorn makes it, and cannot be told of what class. Nobody has sent anything yet.
            self.cycle.__class__ = Cycle
