"""The curl line of a request, given to a real curl: it sends what the suite sends."""

import asyncio
import re
import shutil

import pytest
from support.command import environment
from support.limits import LIMIT

from clients_register.conformance.http_client import HttpClient, HttpRequest
from clients_register.conformance.report.curl import render_curl

TYPE = (("Content-Type", "text/plain"),)

REQUESTS = {
    "plain": HttpRequest("POST", "/api", TYPE, b"e30="),
    "shell": HttpRequest("POST", "/api/", (), b'it\'s $HOME `id` %s \\n ! "x"'),
    "path": HttpRequest("POST", "/a/../b%2f?q=[1-3]{a,b}&c='", (("Content-Type", ""),), b""),
    "odd-path": HttpRequest("POST", "/a b/é?#no-fragment", (), b"x"),
    "asterisk": HttpRequest("OPTIONS", "*", (), b""),
    "bytes": HttpRequest("POST", "/api", (("X-Two", "a\"b'c"),), bytes(range(256))),
    "octal": HttpRequest("POST", "/api", (), b"\x001\n7\r\n\\012"),
    "lines": HttpRequest("POST", "/api", TYPE, b"e3\r\n0=\r\n"),
    "hyphen": HttpRequest("POST", "/api", (), b"-n\n@file"),
    "hyphens": HttpRequest("POST", "/api", (), b"--\n"),
    "at": HttpRequest("POST", "/api", (), b"@file"),
    "preflight": HttpRequest("OPTIONS", "/api", (("Origin", "http://a.test"),), b""),
    "get": HttpRequest("GET", "/api", (("Accept", "*/*"), ("user-agent", "me")), b""),
    "head": HttpRequest("HEAD", "/api", TYPE, b""),
    "head-with-body": HttpRequest("HEAD", "/api", TYPE, b"e30="),
    "put": HttpRequest("PUT", "/api", (), b"x"),
    "twice": HttpRequest(
        "POST", "/api", (("X-A", "1"), ("X-A", "2"), ("Content-Type", "a; b=c")), b""
    ),
    "host": HttpRequest("POST", "/api", (("Host", "else.where"),), b"x"),
    "expect": HttpRequest("POST", "/api", (("Expect", ""),), b"x" * 2000),
    "one-byte": HttpRequest("POST", "/api", TYPE, b"A" * 100_000),
    "runs": HttpRequest("POST", "/api", TYPE, b"e30=" + b"\n" * 5000 + b"\0" * 600 + b"-end%"),
    "large": HttpRequest("POST", "/api", TYPE, b"e30=" * 35_000),
    "chunked": HttpRequest("POST", "/api", TYPE, b"abcde\n", chunked=2),
    "chunked-empty": HttpRequest("POST", "/api", TYPE, b"", chunked=7),
    "lower-case": HttpRequest("POST", "/api", (("content-type", "text/plain"), ("x-y", "z")), b"x"),
}


async def sent_by_curl(line: str) -> None:
    """Runs `line` as a script, which a large body may make too long for an argument of `sh`."""
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-s",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )
    async with asyncio.timeout(LIMIT):
        _, told = await process.communicate(line.encode() + b"\n")
    assert process.returncode == 0, told


def without_chunks(body: bytes) -> bytes:
    """`body` of chunks, in one piece."""
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        whole, body = whole + body[:length], body[length + 2 :]
    return whole


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("name", REQUESTS)
async def test_curl_sends_what_the_suite_sends(name: str) -> None:
    request = REQUESTS[name]
    heard: list[tuple[str, list[str], bytes]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        if request.chunked is None:
            body = await reader.readexactly(len(request.body))
        else:
            body = without_chunks(await reader.readuntil(b"0\r\n\r\n"))
        heard.append((first, sorted(each.rstrip() for each in lines), body))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with HttpClient(origin) as wire:
        await wire.send(request)
    await sent_by_curl(render_curl(request, origin))
    server.close()
    ours, curls = heard
    assert curls == ours


def test_a_line_says_what_is_sent_as_plainly_as_can_be() -> None:
    assert render_curl(HttpRequest("POST", "/api", TYPE, b"e30="), "http://a.test") == (
        "curl -sS -i --http1.1 --globoff --path-as-is -X POST -H Accept: -H User-Agent: -H Expect:"
        " -H 'Content-Type: text/plain' --data-binary e30= http://a.test/api"
    )


def test_what_is_not_printable_is_piped_in_octal() -> None:
    line = render_curl(HttpRequest("POST", "/api", TYPE, b"a\n-\xff"), "http://a.test")
    assert line.startswith("printf 'a\\012\\055\\377' | curl ")
    assert re.search(r"--data-binary @- http://a\.test/api$", line)
