"""Sends the requests of cases and of fuzzing, once each, and records the exchanges.

Requests of Schemathesis and malformed HTTP go to the HTTP client directly, from `fuzz/checker.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from clients_register.conformance.case import RequestTemplate
from clients_register.conformance.http_client import (
    HttpClient,
    HttpRequest,
    HttpResponse,
    NoResponse,
)
from clients_register.conformance.request import Values, build_params, build_request
from clients_register.conformance.response import ABSENT, ParsedResponse, ResponseBody, parse_body
from clients_register.conformance.target import Limiter, Target
from clients_register.spec.statuses import StatusTable

# HTTP codes with which a proxy or gateway reports an overloaded or missing server.
OVERLOADED = (429, 502, 503, 504)

# The header of responses that the stub was asked for.
FORCED = "Mock-Forced"

# Shown instead of the values of the target's own headers, such as an API key.
HIDDEN = "…"


T = TypeVar("T")


@dataclass
class Exchange:
    """One request and its response, as a report may show them.

    `request` has masked secrets, `decoded` is the JSON inside it, `raw` the bytes that were sent
    if they were no valid request. `failure` is set if there was no response, which was `waited` for
    that many seconds. `sent` is the request with its secrets, which is not reported, and `secrets`
    are those, which must not be shown.
    """

    role: str
    request: HttpRequest
    decoded: Any
    response: HttpResponse | None = None
    body: ResponseBody | None = None
    failure: NoResponse | None = None
    waited: float = 0.0
    raw: bytes | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    secrets: tuple[str, ...] = field(default=(), repr=False)
    sent: HttpRequest | None = field(default=None, repr=False)

    def receive(self, response: HttpResponse) -> None:
        """Records the response and decodes its body."""
        self.response = response
        self.body = parse_body(response)

    @property
    def envelope(self) -> Any:
        """The JSON value of the response; ABSENT if it has none, or if there is no response."""
        return ABSENT if self.body is None else self.body.document

    @property
    def forced(self) -> bool:
        """Whether the stub was asked for this response."""
        return self.response is not None and self.response.header(FORCED) is not None


@dataclass(frozen=True)
class RunContext:
    """Shared by all exchanges of a run. `id` is part of every generated address.

    `request_ids` are those of all responses so far.
    """

    target: Target
    client: HttpClient
    limiter: Limiter
    statuses: StatusTable
    id: str
    request_ids: set[str] = field(default_factory=set)

    def new_values(self) -> Values:
        """Returns the placeholder values for one case or example."""
        return Values(self.target.email_domain, self.id, self.target.placeholders)

    def parse(self, exchange: Exchange) -> ParsedResponse:
        """Returns the response of an exchange that has one."""
        assert exchange.response is not None, "the exchange has a response"
        assert exchange.body is not None, "each response has a body, which may be empty"
        layout = self.target.layout
        return ParsedResponse(exchange.response, exchange.body, layout, self.statuses)

    def is_overloaded(self, exchange: Exchange) -> bool:
        """Tells whether something else responded for an overloaded or missing server."""
        parsed = self.parse(exchange)
        return parsed.response.code in OVERLOADED and self.statuses.find(parsed.slug) is None


class Sender:
    """Sends requests into a target, or into one world of our stub.

    `prefix` is the path of the world; reports do not show it, because the world is temporary.
    """

    def __init__(self, run: RunContext, prefix: str = "") -> None:
        self._run = run
        self._prefix = prefix

    async def send_once(
        self,
        send: RequestTemplate,
        values: Values,
        role: str = "send",
        record: Callable[[Exchange], None] = lambda _: None,
    ) -> tuple[HttpRequest, Exchange]:
        """Sends one request once, and returns it with its exchange, which may have no response.

        `record` gets the exchange before it is sent, in case of an interruption. Raises
        LimitReached, UnknownPlaceholder.
        """
        target = self._run.target
        request = build_request(send, values, target.headers)
        redacted = values.redacted()
        shown = build_request(send, redacted, dict.fromkeys(target.headers, HIDDEN))
        exchange = Exchange(role, shown, build_params(send, redacted), sent=request)
        exchange.secrets = (*values.secrets, *values.tokens)
        await self._run.limiter.acquire(registers=send.may_register)
        record(exchange)
        in_world = replace(request, target=self._prefix + request.target)
        exchange.started = datetime.now(UTC)
        try:
            exchange.receive(await self._run.client.send(in_world))
        except NoResponse as failure:
            exchange.failure = failure
            exchange.waited = (datetime.now(UTC) - exchange.started).total_seconds()
        return request, exchange


async def send_concurrently(sends: Iterable[Awaitable[T]]) -> list[T]:
    """Awaits all `sends` together, and raises the first exception once none is under way."""
    results = await asyncio.gather(*sends, return_exceptions=True)
    for each in results:
        if isinstance(each, BaseException):
            raise each
    return [each for each in results if not isinstance(each, BaseException)]


class ArrangementFailed(Exception):
    """The target did not reach a state that it is supposed to reach; the message says why."""


class ClientRegistrar:
    """Registers a new client through the route itself, to arrange a state."""

    def __init__(
        self,
        run: RunContext,
        values: Values,
        send: Callable[[RequestTemplate], Awaitable[Exchange]],
    ) -> None:
        self._run = run
        self._values = values
        self._send = send

    async def __call__(self, email: str, password: str) -> Mapping[str, Any]:
        """Returns the `token` of the new session, if the response has one.

        Raises ArrangementFailed, and whatever the given `send` raises.
        """
        self._values.update({"arranged.email": email, "arranged.password": password})
        changes = {"client.email": "${arranged.email}", "client.password": "${arranged.password}"}
        exchange = await self._send(RequestTemplate(set=changes))
        success = self._run.statuses.success.slug
        parsed = None if exchange.response is None else self._run.parse(exchange)
        if parsed is None or parsed.slug != success:
            found = exchange.failure or (parsed and parsed.slug) or "no status"
            raise ArrangementFailed(f"client: expected {success}, found {found}")
        token = parsed.find("/session/token")
        return {} if token is ABSENT or not isinstance(token, str) else {"token": token}
