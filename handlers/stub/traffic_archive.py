"""The request log as an HTTP Archive, without secrets.

A body is decoded and encoded again, because a secret can be hidden only in what can be read. One
that cannot be decoded is left out.
"""

import asyncio
import json
import re
from base64 import b64encode
from typing import Any
from urllib.parse import unquote_plus

from clients_register.handlers.stub.problems import Headers
from clients_register.handlers.stub.traffic import HIDDEN, LogEntry, redact
from clients_register.har import HarRequest, HarResponse, make_entry

# Headers and parameters of a query with secret values.
_SECRET = re.compile(r"authorization|cookie|token|passw|secret|key|session", re.IGNORECASE)

# Headers that contain a URL.
_URLS = frozenset({"referer", "location", "content-location"})

NOT_DECODED = "The request body could not be decoded, and may contain secrets."
ENCODED_AGAIN = "The request body was encoded again, with its secrets hidden."
NOT_KEPT = "The request body was not kept, because it was forwarded or too large."


async def archive_entry(entry: LogEntry, prefix: str) -> dict[str, Any]:
    """Returns an entry of the log as one of an archive; `prefix` is that of the world's paths."""
    try:
        return await _archive_entry(entry, prefix)
    finally:
        entry.release_decoded()


async def _archive_entry(entry: LogEntry, prefix: str) -> dict[str, Any]:
    # Each step takes milliseconds for a large body. Others have their turn in between.
    value = entry.request.content.value if entry.request else None
    await asyncio.sleep(0)
    body, size, comment = _encode_params(entry, value)
    await asyncio.sleep(0)
    headers = _show_headers(entry.headers)
    host = next((text for name, text in headers if name == "host"), "localhost")
    url = _hide_in_url(f"http://{host}{prefix}{entry.target.decode('latin-1')}")
    answer = None if entry.envelope is None else _compact(redact(dict(entry.envelope)))
    return make_entry(
        entry.at,
        entry.milliseconds / 1000,
        HarRequest(entry.method, url, headers, body, size),
        HarResponse(entry.code, _show_headers(entry.response_headers), answer),
        error=entry.fault and f"simulated fault: {entry.fault}",
        comment=comment,
    )


def _encode_params(entry: LogEntry, value: Any) -> tuple[bytes | None, int, str | None]:
    """Returns the body of a request, its size as sent, and a comment on it."""
    if entry.request is None or entry.request.body is None:
        return None, -1, NOT_KEPT
    size = len(entry.request.body)
    if not size:
        return b"", 0, None
    if not isinstance(value, dict | list):
        return None, size, NOT_DECODED
    return b64encode(_compact(redact(value))), size, ENCODED_AGAIN


def _show_headers(headers: Headers) -> list[tuple[str, str]]:
    return [
        (name, _show_header(name, value))
        for name, value in ((each.decode("latin-1") for each in header) for header in headers)
    ]


def _show_header(name: str, value: str) -> str:
    if _SECRET.search(name):
        return HIDDEN
    return _hide_in_url(value) if name in _URLS else value


def _hide_in_url(url: str) -> str:
    before, mark, rest = url.partition("?")
    query, sharp, fragment = rest.partition("#")
    return f"{before}{mark}{_hide_in_query(query)}{sharp}{fragment}"


def _hide_in_query(query: str) -> str:
    return "&".join(_hide_parameter(*each.partition("=")) for each in query.split("&"))


def _hide_parameter(name: str, equals: str, value: str) -> str:
    return f"{name}{equals}{HIDDEN if value and _SECRET.search(unquote_plus(name)) else value}"


def _compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
