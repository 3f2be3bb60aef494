"""Renders the exchanges of a run as an HTTP Archive, with one page per case.

Unlike a report, an archive has whole bodies. Malformed requests are left out, because the format
cannot represent them.
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from clients_register import har
from clients_register.conformance.exchange import Exchange
from clients_register.conformance.http_client import complete_headers
from clients_register.conformance.redaction import Redactor, hide_own_headers, redactor_for
from clients_register.conformance.results import Result
from clients_register.conformance.target import Target

# The error of a request that was sent shortly before the run was interrupted.
INTERRUPTED = "interrupted before the response"


def render_archive(results: Sequence[Result], target: Target) -> str:
    """Renders the exchanges of `results`, without secrets."""
    pages: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    for result in results:
        exchanges = [each for each in result.exchanges if each.raw is None]
        if exchanges:
            redactor = redactor_for(target, result)
            title = redactor.redact_received(result.case.title)
            pages.append(har.make_page(result.case.id, title, exchanges[0].started))
            entries += (_make_entry(each, result, target, redactor) for each in exchanges)
    return har.render(entries, pages)


def _make_entry(
    exchange: Exchange, result: Result, target: Target, redactor: Redactor
) -> dict[str, Any]:
    request = hide_own_headers(exchange.request, target)
    response, failure = exchange.response, exchange.failure
    headers = complete_headers(request, urlsplit(target.origin).netloc)
    error = None
    if response is None:
        error = INTERRUPTED if failure is None else redactor.redact_received(str(failure))
    return har.make_entry(
        exchange.started,
        exchange.waited if response is None else response.seconds,
        har.HarRequest(
            request.method,
            target.origin + redactor.redact(request.target),
            [(name, redactor.redact(value)) for name, value in headers],
            _redact_bytes(request.body, redactor.redact),
            len(request.body),
        ),
        _make_response(exchange, redactor),
        error=error,
        comment=f"{exchange.role} of {result.case.id}, {result.verdict}",
        page=result.case.id,
    )


def _make_response(exchange: Exchange, redactor: Redactor) -> har.HarResponse | None:
    response, body = exchange.response, exchange.body
    if response is None or body is None:
        return None
    status_line = response.raw_head.partition(b"\n")[0].decode("latin-1")
    _, _, reason = status_line.strip().partition(f" {response.code} ")
    return har.HarResponse(
        response.code,
        [(name, redactor.redact_header(name, value)) for name, value in response.headers],
        _redact_bytes(body.content, redactor.redact_received),
        redactor.redact_received(reason),
    )


def _redact_bytes(body: bytes, redact: Callable[[str], str]) -> bytes:
    try:
        return redact(body.decode("utf-8")).encode("utf-8")
    except UnicodeDecodeError:
        return redact(body.decode("latin-1")).encode("latin-1")
