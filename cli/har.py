"""HTTP Archives (HAR 1.2), which the developer tools of browsers import and proxies export.

The stub writes its request log in this format, and the suite its exchanges. The names and the order
of the members are those of the format. Secrets have to be masked before.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from clients_register import __version__

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class HarRequest:
    """A request. `url` is absolute.

    `body` is None if it was not kept, `size` its length as sent, in bytes, and -1 if unknown.
    """

    method: str
    url: str
    headers: Headers
    body: bytes | None
    size: int


@dataclass(frozen=True, slots=True)
class HarResponse:
    """A response. `body` is without content codings, and None if it was not kept.

    Without a `reason`, the usual one of the code is written.
    """

    code: int
    headers: Headers
    body: bytes | None
    reason: str | None = None


def make_entry(  # noqa: PLR0913 - the members of an entry
    started: datetime,
    seconds: float,
    request: HarRequest,
    response: HarResponse | None,
    *,
    error: str | None = None,
    comment: str | None = None,
    page: str | None = None,
) -> dict[str, Any]:
    """Makes the entry of one exchange.

    `error` says what went wrong, in the member in which Chromium does. `page` is the id of the page
    that the entry belongs to.
    """
    milliseconds = round(seconds * 1000, 3)
    return {
        **({} if page is None else {"pageref": page}),
        "startedDateTime": _format_time(started),
        "time": milliseconds,
        "request": _make_request(request),
        "response": _make_response(response or HarResponse(0, (), None, ""), error),
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
        **({} if comment is None else {"comment": comment}),
    }


def make_page(page: str, title: str, started: datetime) -> dict[str, Any]:
    """Makes a page, which groups entries."""
    return {
        "startedDateTime": _format_time(started),
        "id": page,
        "title": title,
        "pageTimings": {},
    }


def frame(pages: Sequence[Mapping[str, Any]] = ()) -> tuple[str, str]:
    """Returns the text of an archive before and after the array of its entries."""
    log = {
        "version": "1.2",
        "creator": {"name": "clients-register", "version": __version__},
        **({"pages": pages} if pages else {}),
    }
    return f'{{"log": {json.dumps(log)[:-1]}, "entries": ', "}}"


def render(entries: Iterable[Mapping[str, Any]], pages: Sequence[Mapping[str, Any]] = ()) -> str:
    """Renders an archive, with one line per entry and only ASCII characters."""
    before, after = frame(pages)
    lines = ",\n".join(map(json.dumps, entries))
    return f"{before}[\n{lines}\n]{after}\n"


def _make_request(request: HarRequest) -> dict[str, Any]:
    query = request.url.partition("#")[0].partition("?")[2]
    return {
        "method": request.method,
        "url": request.url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(request.headers),
        "queryString": _pairs(parse_qsl(query, keep_blank_values=True)),
        **({"postData": _make_post_data(request)} if request.body else {}),
        "headersSize": -1,
        "bodySize": request.size,
    }


def _make_post_data(request: HarRequest) -> dict[str, Any]:
    text = _encode_body(request.body or b"")
    # The format has no such member in requests, so its name begins with an underscore.
    coding = {"_encoding": text.pop("encoding")} if "encoding" in text else {}
    return {"mimeType": _find_header(request.headers, "content-type"), **text, **coding}


def _make_response(response: HarResponse, error: str | None) -> dict[str, Any]:
    reason = _reason(response.code) if response.reason is None else response.reason
    body = response.body
    return {
        "status": response.code,
        "statusText": reason,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(response.headers),
        "content": {
            "size": -1 if body is None else len(body),
            "mimeType": _find_header(response.headers, "content-type"),
            **({} if body is None else _encode_body(body)),
        },
        "redirectURL": _find_header(response.headers, "location"),
        "headersSize": -1,
        "bodySize": -1,
        **({} if error is None else {"_error": error}),
    }


def _encode_body(body: bytes) -> dict[str, str]:
    try:
        return {"text": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"text": b64encode(body).decode(), "encoding": "base64"}


def _find_header(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def _pairs(items: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in items]


def _reason(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


def _format_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
