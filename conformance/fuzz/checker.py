"""Sends generated requests into one world, and compares the responses with the oracle."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from clients_register.conformance.case import RequestTemplate
from clients_register.conformance.checks import check_invariants, check_no_leak
from clients_register.conformance.control import ControlClient
from clients_register.conformance.exchange import (
    FORCED,
    ClientRegistrar,
    Exchange,
    RunContext,
    Sender,
    send_concurrently,
)
from clients_register.conformance.fuzz.coverage import CampaignCoverage
from clients_register.conformance.fuzz.oracle import Outcome, Prediction, predict
from clients_register.conformance.fuzz.request_decoding import (
    BODY_LIMIT,
    check_route,
    decode_request,
)
from clients_register.conformance.fuzz.response_checks import (
    apply_outcome,
    check_effects,
    check_success,
    match_outcome,
)
from clients_register.conformance.fuzz.world_model import WorldModel
from clients_register.conformance.grades import Part, basis_of, basis_of_code, weakest
from clients_register.conformance.http_client import (
    CLOSED,
    NOT_HTTP,
    REFUSED,
    HttpRequest,
    HttpResponse,
    NoResponse,
)
from clients_register.conformance.redaction import Redactor
from clients_register.conformance.request import MIN_SECRET_LENGTH, Values
from clients_register.conformance.response import as_id, cut_text, show_value
from clients_register.conformance.results import Finding, Verdict, failing_verdicts
from clients_register.conformance.states import StateArranger
from clients_register.spec.statuses import Stage

# HTTP codes with which a server may reject malformed HTTP.
REJECTIONS = frozenset({*range(400, 500), 501, 505})
TOLERATED = "a response of the contract, a rejection (4xx, 501, 505) or a closed connection"

# Bytes beyond the limit after which a server may close the connection without a response.
CLOSE_MARGIN = 1024 * 1024

# Characters of a received status, or of what there is instead, that identify a fault.
MAX_STATUS = 250

# The `what` of a finding about another status than predicted.
STATUS = "status"


class TargetGone(Exception):
    """The target does not respond any more, or proves nothing; the message says why."""


class ContractViolation(Exception):
    """A response, or its absence, violates the contract.

    `send` built the request, if a case can send it, and `outcomes` would have been correct.
    `states` were arranged before, and `about` describes the requests before or the faults.
    `unshrunk` says why a smaller example was not looked for any longer, if it was not.
    """

    def __init__(
        self,
        layer: str,
        exchange: Exchange,
        findings: list[Finding],
        send: RequestTemplate | None = None,
        outcomes: Sequence[Outcome] = (),
    ) -> None:
        self.outcomes = tuple(outcomes)
        self.layer = layer
        self.exchange = exchange
        self.findings = findings
        self.send = send
        self.states: tuple[str, ...] = ()
        self.about = ""
        self.unshrunk = ""
        super().__init__(layer)

    @property
    def size(self) -> int:
        """The size of the request and of what preceded it, to find the simplest example."""
        request = self.exchange.request
        headers = sum(map(len, (*sum(request.headers, ()), request.method)))
        return len(self.about) + len(request.body) + headers

    @property
    def signature(self) -> str:
        """Identifies a fault: equal for all examples of it, and without secrets."""
        first = self.findings[0]
        if first.what == STATUS:
            received = _shorten_status(first.received, self.exchange)
            return f"status: expected {first.expected}, found {received}"
        # Other expectations contain addresses and the like, which are new each time.
        return first.what


@dataclass(frozen=True)
class Sandbox:
    """One world of a target: how to reach it, and the model of it. `prefix` is its path."""

    arranger: StateArranger
    model: WorldModel
    control: ControlClient | None
    prefix: str


class Checker:
    """Sends requests into one sandbox and checks the responses.

    The methods that send raise ContractViolation, TargetGone, LimitReached.
    """

    def __init__(
        self,
        run: RunContext,
        sandbox: Sandbox,
        coverage: CampaignCoverage,
        *,
        strict: bool = False,
        known: frozenset[str] = frozenset(),
    ) -> None:
        """`known` are signatures of violations that were found before; they are not raised."""
        self.run = run
        self.arranger = sandbox.arranger
        self.model = sandbox.model
        self.prefix = sandbox.prefix
        self._sender = Sender(run, sandbox.prefix)
        self._coverage = coverage
        self._failing = failing_verdicts(strict=strict)
        self._known = known

    def register(self, layer: str, values: Values) -> ClientRegistrar:
        """Returns how states that need a client register one, with their responses checked."""

        async def send(request: RequestTemplate) -> Exchange:
            exchange, _ = await self.send(layer, request, values)
            return exchange

        return ClientRegistrar(self.run, values, send)

    async def send(
        self, layer: str, send: RequestTemplate, values: Values
    ) -> tuple[Exchange, list[Finding]]:
        """Sends one request; returns it with the findings that are no violation here."""
        request, exchange = await self._exchange(layer, send, values)
        if exchange.response is None:
            return exchange, []
        return exchange, await self.check(layer, request, exchange, values.secrets, send)

    async def transmit(self, layer: str, request: HttpRequest, decoded: object) -> Exchange:
        """Sends a request that was built elsewhere; `decoded` is the JSON inside it.

        The response is not checked, only that there is one.
        """
        run = self.run
        exchange = Exchange("send", request, decoded)
        await run.limiter.acquire(registers=bool(request.body))
        try:
            in_world = replace(request, target=self.prefix + request.target)
            exchange.receive(await run.client.send(in_world))
        except NoResponse as failure:
            exchange.failure = failure
            self._check_failure(layer, request, exchange, failure)
        return exchange

    async def race(self, layer: str, send: RequestTemplate, values: Values, times: int) -> None:
        """Sends one request several times at once: one may succeed, the others are too late."""
        sent = await send_concurrently(self._exchange(layer, send, values) for _ in range(times))
        statuses = self.run.statuses
        too_late = statuses.spellings(statuses.for_rule("email_is_free").slug)
        responded = [each for each in sent if each[1].response is not None]
        # The model handles them one after another, so the winner comes first.
        responded.sort(key=lambda each: self.describe_status(each[1]) in too_late)
        for request, exchange in responded:
            await self.check(layer, request, exchange, values.secrets, send)

    async def send_bytes(self, layer: str, pieces: Sequence[bytes]) -> None:
        """Sends bytes that may not be HTTP, and checks that the target handles them."""
        run = self.run
        sent = b"".join(pieces)
        exchange = Exchange("send", HttpRequest("POST", "", (), sent), None, raw=sent)
        await run.limiter.acquire(registers=True)
        self._coverage.unparseable += 1
        try:
            exchange.receive(response := await run.client.send_bytes(pieces))
        except NoResponse as failure:
            exchange.failure = failure
            if failure.kind == REFUSED:
                raise TargetGone(str(failure)) from None
            # Some servers respond to malformed requests in the manner of HTTP/0.9.
            met = failure.kind in (CLOSED, NOT_HTTP)
            basis = basis_of(Part.RESPONSE_TO_MALFORMED_HTTP)
            finding = Finding.of("answer", basis, TOLERATED, str(failure), met=met)
            self._raise_if_failing(ContractViolation(layer, exchange, [finding]))
            return
        row = run.statuses.find(run.parse(exchange).slug)
        met = response.code in REJECTIONS if row is None else response.code == row.code
        basis = basis_of(Part.RESPONSE_TO_MALFORMED_HTTP)
        finding = Finding.of("HTTP code", basis, TOLERATED, str(response.code), met=met)
        not_echoed = (response.raw_head + response.body).replace(sent, b"")
        findings = [finding, *check_no_leak(not_echoed)]
        self._raise_if_failing(ContractViolation(layer, exchange, findings))

    async def check(
        self,
        layer: str,
        request: HttpRequest,
        exchange: Exchange,
        secrets: Sequence[str] = (),
        send: RequestTemplate | None = None,
    ) -> list[Finding]:
        """Checks a response and applies its effects to the model.

        Returns the findings that are no violation here, or were found before. Raises
        ContractViolation, TargetGone.
        """
        run, response = self.run, exchange.response
        assert response is not None, "the exchange has a response"
        parsed = run.parse(exchange)
        if exchange.forced:
            raise TargetGone(f"responses are forced ({FORCED}), so they prove nothing")
        if parsed.body.unsupported is not None:
            raise TargetGone(f"a response is {parsed.body.unreadable}, so it proves nothing")
        if run.is_overloaded(exchange):
            run.limiter.slow_down()
            self._coverage.overloaded += 1
            return []
        prediction = self.predict(request)
        self._coverage.count(layer, parsed.slug, prediction)
        known = [*secrets, *_find_secret(prediction)]
        invariants = check_invariants(parsed, known, run.request_ids, request)
        findings = [each for each in invariants if each.verdict is not Verdict.PASS]
        if request.method == "HEAD":
            findings.append(_check_head(prediction, response))
            self._raise_if_failing(ContractViolation(layer, exchange, findings, send))
            return findings
        outcome, differences = match_outcome(prediction, parsed)
        findings += differences
        if outcome is not None:
            findings += check_success(outcome, prediction, self.model, parsed)
            apply_outcome(self.model, prediction, outcome, parsed.find("/session/token"))
            effects = check_effects(
                self.arranger, self.model, prediction, outcome, run.target.claims
            )
            findings += [each async for each in effects]
            if outcome.status.stage in (Stage.EFFECTS, Stage.SUCCESS) and not run.target.control:
                email = str(prediction.params.email)
                self._coverage.created[email] = as_id(parsed.find("/data/id"))
        outcomes = prediction.outcomes
        self._raise_if_failing(ContractViolation(layer, exchange, findings, send, outcomes))
        return findings

    def predict(self, request: HttpRequest) -> Prediction:
        """Predicts the correct responses to a request in the present state of the model."""
        target = self.run.target
        decoded = decode_request(
            request.headers,
            request.body,
            chunked=request.chunked is not None,
            own=target.headers,
        )
        return predict(decoded, self.model, *check_route(request, target.path))

    def is_failing(self, findings: Iterable[Finding]) -> bool:
        """Tells whether any of `findings` is a violation in this campaign."""
        return any(each.verdict in self._failing for each in findings)

    def describe_status(self, exchange: Exchange) -> str:
        """Returns the slug of a response, or what there is instead, as a report may show it."""
        if exchange.response is None:
            return "no response"
        slug = self.run.parse(exchange).slug or f"HTTP {exchange.response.code}"
        return _shorten_status(slug, exchange)

    async def _exchange(
        self, layer: str, send: RequestTemplate, values: Values
    ) -> tuple[HttpRequest, Exchange]:
        request, exchange = await self._sender.send_once(send, values)
        if exchange.failure is not None:
            self._check_failure(layer, request, exchange, exchange.failure, send)
        return request, exchange

    def _check_failure(
        self,
        layer: str,
        request: HttpRequest,
        exchange: Exchange,
        failure: NoResponse,
        send: RequestTemplate | None = None,
    ) -> None:
        """Raises TargetGone, or ContractViolation unless the request may remain unanswered."""
        if failure.kind == REFUSED:
            raise TargetGone(str(failure))
        # Far beyond the limit, closing the connection is correct.
        if len(request.body) <= BODY_LIMIT + CLOSE_MARGIN or failure.kind != CLOSED:
            received = show_value(str(failure))
            basis = basis_of(Part.RESPONSE)
            finding = Finding.of("answer", basis, "one", received, met=False)
            self._raise_if_failing(ContractViolation(layer, exchange, [finding], send))

    def _raise_if_failing(self, violation: ContractViolation) -> None:
        violation.findings = [each for each in violation.findings if self.is_failing([each])]
        if violation.findings and violation.signature not in self._known:
            raise violation


def _shorten_status(received: str, exchange: Exchange) -> str:
    redactor = Redactor(exchanges=[exchange])
    return cut_text(redactor.redact_received(received), MAX_STATUS)


def _check_head(prediction: Prediction, response: HttpResponse) -> Finding:
    """A response to HEAD has the code of its status and no body (Q-METHOD)."""
    codes = {each.status.code for each in prediction.outcomes}
    grade = weakest(
        each for one in prediction.outcomes for each in (basis_of_code(one.status).grade, one.cause)
    )
    met = response.code in codes and not response.body
    expected = " or ".join(map(str, sorted(codes)))
    return Finding.of("HTTP code", grade, expected, str(response.code), met=met)


def _find_secret(prediction: Prediction) -> list[str]:
    """Returns the password, if it is long enough and appears in no other parameter."""
    password = prediction.params.text("client.password")
    if password is None or len(password) < MIN_SECRET_LENGTH:
        return []
    others = (
        value
        for path, value in prediction.params.values.items()
        if isinstance(value, str) and path != "client.password"
    )
    return [] if any(password in each for each in others) else [password]
