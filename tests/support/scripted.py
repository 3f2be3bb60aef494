"""Servers whose every byte is written in a test."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Streams = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(
    talk: Streams, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """The origin of a server that talks so on every connection."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(once, host, 0, ssl=tls)
    named = f"[{host}]" if ":" in host else host
    try:
        yield f"{'https' if tls else 'http'}://{named}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def saying(*answers: bytes, heard: list[bytes] | None = None) -> Streams:
    """Answers each request on a connection with the next of `answers`, then closes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(4) if b"Content-Length: 4" in head else b""
            if heard is not None:
                heard.append(head + body)
            writer.write(answer)
            await writer.drain()

    return talk


def counted(talk: Streams) -> tuple[Streams, list[int]]:
    """`talk`, and a list that gets an item for each connection."""
    opened: list[int] = []

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        await talk(reader, writer)

    return counting, opened
