"""A request as a curl line that sends the same bytes (the size of chunks is curl's own)."""

import re
import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

from clients_register.conformance.wire import Request

# What curl would add by itself, and the suite does not send.
ADDED = ("Content-Type", "Accept", "User-Agent", "Expect")

PRINTABLE = range(0x20, 0x7F)

# Bytes in one word of a command; Linux takes 131,072.
LONGEST = 100_000

# So many equal bytes in a row are a long run; _RUNS takes a body apart at those.
RUN = 512
_RUNS = re.compile(rb"(.)\1{%d,}|(?:(?!(.)\2{%d,}).){1,60000}" % (RUN - 1, RUN - 1), re.DOTALL)
_LONG = re.compile(rb"(.)\1{%d,}" % (RUN - 1), re.DOTALL)

# Seconds after which a curl gives up that waits for a body which no answer to HEAD has.
PATIENCE = 5

# What curl sends of a URL as it is written.
_ORDINARY = re.compile(r"/[\w.~%!$&'()*+,;=:@/?\[\]{}-]*", re.ASCII)


def line(request: Request, origin: str) -> str:
    """A line for a POSIX shell."""
    words = ["curl", "-sS", "-i", "--http1.1", "--globoff", "--path-as-is"]
    head = request.method == "HEAD"
    # To curl, a HEAD that it understands has no body.
    bare = head and not request.body and request.chunked is None
    words += ["--head"] if bare else ["-X", request.method]
    if head and not bare:
        words += ["--max-time", str(PATIENCE)]
    words += _headers(request, bare=bare)
    url = [origin + request.target]
    if not _ORDINARY.fullmatch(request.target):
        url = ["--request-target", request.target, origin + "/"]
    if bare:
        return shlex.join([*words, *url])
    body = request.body
    plain = all(byte in PRINTABLE for byte in body) and body[:1] != b"@"
    if plain and len(body) <= LONGEST and not _LONG.search(body):
        return shlex.join([*words, "--data-binary", body.decode(), *url])
    piped = shlex.join([*words, "--data-binary", "@-", *url])
    pieces = list(_pieces(body))
    writing = pieces[0] if len(pieces) == 1 else f"{{ {'; '.join(pieces)}; }}"
    return f"{writing} | {piped}"


def raw(data: bytes, origin: str) -> str:
    """A line that sends bytes as they are, where they are no request that curl would make."""
    parts = urlsplit(origin)
    written = "".join(
        chr(byte) if byte in PRINTABLE and chr(byte) not in "\\%'" else f"\\{byte:03o}"
        for byte in data
    )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"printf '{written}' | nc {parts.hostname} {port}"


def _headers(request: Request, *, bare: bool) -> list[str]:
    """The options for the headers, and against those that curl would add."""
    named = {name.lower() for name, _ in request.headers}
    lines = [f"{name}:" for name in ADDED if name.lower() not in named]
    # An empty value is written with a semicolon; with a colon it would be no header.
    lines += (f"{name}: {value}" if value else f"{name};" for name, value in request.headers)
    if request.chunked is not None and "transfer-encoding" not in named:
        lines.append("Transfer-Encoding: chunked")
    if bare and "content-length" not in named:
        lines.append("Content-Length: 0")
    return [word for each in lines for word in ("-H", each)]


def _pieces(body: bytes) -> Iterator[str]:
    """Commands that write `body`, one after the other; long runs of one byte are made, not told."""
    for found in _RUNS.finditer(body):
        piece = found[0]
        if found[1] is None:
            yield f"printf {shlex.quote(''.join(map(_escaped, piece)))}"
        else:
            yield f"head -c {len(piece)} /dev/zero | tr '\\0' '\\{piece[0]:03o}'"


def _escaped(byte: int) -> str:
    """A byte in a format of printf; one that begins with a hyphen would be an option."""
    character = chr(byte)
    return character if byte in PRINTABLE and character not in "\\%-" else f"\\{byte:03o}"
