"""Renders a request as a curl command that sends the same bytes, apart from the sizes of chunks."""

import re
import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

from clients_register.conformance.http_client import HttpRequest

# Headers that curl adds by default.
DEFAULT_HEADERS = ("Content-Type", "Accept", "User-Agent", "Expect")

PRINTABLE = range(0x20, 0x7F)
_PRINTABLE_TEXT = re.compile(rb"[ -~]*")

# Escapes of bytes for a format of printf, which must not begin with a hyphen.
_ESCAPES = {
    byte: f"\\{byte:03o}" for byte in range(256) if byte not in PRINTABLE or chr(byte) in "\\%-"
}

# Bytes in one argument of a command; Linux allows 131,072.
MAX_ARGUMENT = 100_000

# Bytes that one `printf` writes, before they are escaped.
MAX_TEXT = 60_000

# As many equal bytes in a row are a run, which a command generates instead of containing it.
MIN_RUN = 512
_RUN = re.compile(rb"(.)\1{%d,}" % (MIN_RUN - 1), re.DOTALL)

# Seconds after which curl stops waiting for the body of a response to HEAD, which has none.
HEAD_TIMEOUT = 5

# Paths that curl sends unchanged.
_PLAIN_PATH = re.compile(r"/[\w.~%!$&'()*+,;=:@/?\[\]{}-]*", re.ASCII)


def render_curl(request: HttpRequest, origin: str) -> str:
    """Renders `request` as a command for a POSIX shell."""
    words = ["curl", "-sS", "-i", "--http1.1", "--globoff", "--path-as-is"]
    head = request.method == "HEAD"
    # With --head, curl sends no body.
    bodiless = head and not request.body and request.chunked is None
    words += ["--head"] if bodiless else ["-X", request.method]
    if head and not bodiless:
        words += ["--max-time", str(HEAD_TIMEOUT)]
    words += _header_options(request, bodiless=bodiless)
    url = [origin + request.target]
    if not _PLAIN_PATH.fullmatch(request.target):
        url = ["--request-target", request.target, origin + "/"]
    if bodiless:
        return shlex.join([*words, *url])
    body = request.body
    plain = _PRINTABLE_TEXT.fullmatch(body) and body[:1] != b"@"
    if plain and len(body) <= MAX_ARGUMENT and not _RUN.search(body):
        return shlex.join([*words, "--data-binary", body.decode(), *url])
    piped = shlex.join([*words, "--data-binary", "@-", *url])
    pieces = list(_printf_commands(body))
    writing = pieces[0] if len(pieces) == 1 else f"{{ {'; '.join(pieces)}; }}"
    return f"{writing} | {piped}"


def render_netcat(data: bytes, origin: str) -> str:
    """Renders a command that sends `data`, for bytes that curl cannot send."""
    parts = urlsplit(origin)
    escaped = "".join(
        chr(byte) if byte in PRINTABLE and chr(byte) not in "\\%'" else f"\\{byte:03o}"
        for byte in data
    )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"printf '{escaped}' | nc {parts.hostname} {port}"


def _header_options(request: HttpRequest, *, bodiless: bool) -> list[str]:
    """Returns options that set the headers, and remove those that curl adds."""
    names = {name.lower() for name, _ in request.headers}
    lines = [f"{name}:" for name in DEFAULT_HEADERS if name.lower() not in names]
    # A header with an empty value is written with a semicolon; a colon would remove it.
    lines += (f"{name}: {value}" if value else f"{name};" for name, value in request.headers)
    if request.chunked is not None and "transfer-encoding" not in names:
        lines.append("Transfer-Encoding: chunked")
    if bodiless and "content-length" not in names:
        lines.append("Content-Length: 0")
    return [word for each in lines for word in ("-H", each)]


def _printf_commands(body: bytes) -> Iterator[str]:
    """Yields commands that print `body` one after another; long runs are generated."""
    end = 0
    for run in _RUN.finditer(body):
        yield from _printf_text(body[end : run.start()])
        yield f"head -c {len(run[0])} /dev/zero | tr '\\0' '\\{run[0][0]:03o}'"
        end = run.end()
    yield from _printf_text(body[end:])


def _printf_text(text: bytes) -> Iterator[str]:
    for start in range(0, len(text), MAX_TEXT):
        piece = text[start : start + MAX_TEXT]
        yield f"printf {shlex.quote(piece.decode('latin-1').translate(_ESCAPES))}"
