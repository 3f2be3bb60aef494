"""Sends one request into one world, and holds what happens against the oracle."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from clients_register.conformance import invariants
from clients_register.conformance.composing import Values, compose, params_of
from clients_register.conformance.envelope import parsed, shown
from clients_register.conformance.findings import Exchange, Finding, judged
from clients_register.conformance.fuzzing import aftermath, effects, holding, oracle, reading
from clients_register.conformance.fuzzing.oracle import Allowed, Outcome
from clients_register.conformance.fuzzing.tally import Tally
from clients_register.conformance.fuzzing.violation import Gone, Violation
from clients_register.conformance.fuzzing.worlds import Place
from clients_register.conformance.invariants import MEANINGFUL
from clients_register.conformance.judging import FORCED, OVERLOADED, Run
from clients_register.conformance.matching import Seen, row_of, spellings
from clients_register.conformance.model import Send
from clients_register.conformance.verdicts import Grade, Verdict, violations
from clients_register.conformance.wire import Answer, NoAnswer, Request
from clients_register.spec.statuses import Stage

# How a server says that it will have nothing to do with what is no HTTP.
REJECTIONS = frozenset({*range(400, 500), 501, 505})
BORNE = "an answer of the contract, a rejection (4xx, 501, 505) or a closed connection"


class Examiner:
    """One target, or one world of it, and what is known of that."""

    def __init__(
        self,
        run: Run,
        place: Place,
        tally: Tally,
        *,
        strict: bool = False,
        known: frozenset[str] = frozenset(),
    ) -> None:
        """`known` are marks of faults that were found before: they are passed over."""
        self.run = run
        self.arranger = place.arranger
        self.world = place.world
        self.prefix = place.prefix
        self._tally = tally
        self._bad = violations(strict=strict)
        self._known = known

    def values(self) -> Values:
        """What placeholders stand for, made anew for one example."""
        target = self.run.target
        return Values(target.email_domain, self.run.name, target.placeholders)

    async def ask(self, layer: str, send: Send, values: Values) -> tuple[Exchange, list[Finding]]:
        """Sends once, and judges the answer: what was not as it is to be, and may be all the same.

        Raises Violation, Gone, LimitReached.
        """
        request, exchange = await self._exchange(layer, send, values)
        if exchange.answer is None:
            return exchange, []
        return exchange, await self.examine(layer, request, exchange, values.secrets, send)

    async def race(self, layer: str, send: Send, values: Values, times: int) -> None:
        """Sends at once, so often: whoever is first may succeed, and the others are late."""
        sent = await asyncio.gather(*(self._exchange(layer, send, values) for _ in range(times)))
        late = self.run.statuses.for_rule("email_is_free").slug
        answered = [each for each in sent if each[1].answer is not None]
        spellings_of_late = spellings(late, self.run.statuses)
        answered.sort(key=lambda each: slug_of(each[1], self.run) in spellings_of_late)
        for request, exchange in answered:
            await self.examine(layer, request, exchange, values.secrets, send)

    async def _exchange(self, layer: str, send: Send, values: Values) -> tuple[Request, Exchange]:
        """Sends once. Raises Violation where nothing is answered, Gone, LimitReached."""
        run = self.run
        request = compose(send, values, run.target.headers)
        hidden = dict.fromkeys(run.target.headers, "…")
        exchange = Exchange(
            "send",
            compose(send, values.discreet(), hidden),
            params_of(send, values.discreet()),
        )
        await run.gate.pass_(registers=request.method == "POST" and bool(request.body))
        try:
            exchange.answer = await run.wire.send(
                replace(request, target=self.prefix + request.target)
            )
        except NoAnswer as failure:
            exchange.failure = failure
            if failure.kind == "refused":
                raise Gone(str(failure)) from None
            self._unanswered(layer, exchange, send, request, failure)
        return request, exchange

    async def ask_bytes(self, layer: str, pieces: Sequence[bytes]) -> None:
        """Sends what may be no HTTP, and sees that the target bears it. Raises Violation, Gone."""
        run = self.run
        whole = b"".join(pieces)
        exchange = Exchange("send", Request("POST", "", (), whole), None, raw=whole)
        await run.gate.pass_(registers=True)
        self._tally.unparseable += 1
        try:
            exchange.answer = await run.wire.send_bytes(pieces)
        except NoAnswer as failure:
            exchange.failure = failure
            if failure.kind == "refused":
                raise Gone(str(failure)) from None
            # Some answer in the manner of HTTP/0.9 to what is none of 1.1.
            right = failure.kind in ("closed", "not-http")
            finding = judged("answer", Grade.DECIDED, BORNE, str(failure), right=right)
            self._raise_if_bad(Violation(layer, exchange, [finding]))
            return
        answer = exchange.answer
        exchange.envelope = parsed(answer)
        seen = Seen(answer, exchange.envelope, run.target.layout, run.statuses)
        row = row_of(seen.slug, run.statuses)
        right = answer.code in REJECTIONS if row is None else answer.code == row.code
        finding = judged("HTTP code", Grade.DECIDED, BORNE, str(answer.code), right=right)
        own = (answer.raw_head + answer.body).replace(whole, b"")
        found = [finding, *invariants.bare(own)]
        self._raise_if_bad(Violation(layer, exchange, found))

    async def examine(
        self,
        layer: str,
        request: Request,
        exchange: Exchange,
        secrets: Sequence[str] = (),
        send: Send | None = None,
    ) -> list[Finding]:
        """Judges an answer that came, and settles what it makes of the world.

        Returns what was not as it is to be, and is no violation here, or was one before. Raises
        Violation, and Gone where answers prove nothing.
        """
        answer = exchange.answer
        assert answer is not None, "the caller has one"
        exchange.envelope = parsed(answer)
        seen = Seen(answer, exchange.envelope, self.run.target.layout, self.run.statuses)
        if answer.header(FORCED) is not None:
            raise Gone(f"answers are forced ({FORCED}): nothing can be learnt here")
        if answer.code in OVERLOADED and row_of(seen.slug, self.run.statuses) is None:
            self.run.gate.slow_down()
            self._tally.overloaded += 1
            return []
        allowed = oracle.expected(
            reading.read(request.headers, request.body), self.world, routed=self.routed(request)
        )
        self._tally.count(layer, seen.slug, allowed)
        if request.method == "HEAD":
            findings = self._bodiless(allowed, answer)
            self._raise_if_bad(Violation(layer, exchange, findings, send))
            return findings
        known = [*secrets, *_secret(allowed)]
        findings = [
            each
            for each in invariants.check(seen, known, self.run.ids, sent=request.body)
            if each.verdict is not Verdict.PASS
        ]
        outcome, wrong = holding.outcome_of(allowed, seen)
        findings += wrong
        if outcome is not None:
            findings += holding.success(outcome, allowed, self.world, seen)
            effects.settle(self.world, allowed, outcome, seen.find("/session/token"))
            findings += [
                each
                async for each in aftermath.seen(
                    self.arranger, self.world, allowed, outcome, self.run.target.claims
                )
            ]
            self._note(allowed, outcome, seen)
        self._raise_if_bad(Violation(layer, exchange, findings, send, allowed.outcomes))
        return findings

    def routed(self, request: Request) -> bool:
        """Whether a request goes to the route."""
        target = self.run.target
        path = request.target.partition("?")[0]
        return request.method == "POST" and path == target.base_path + target.route

    def _raise_if_bad(self, seen: Violation) -> None:
        """Raises `seen` where something of it is bad, and was not found before."""
        seen.findings = [each for each in seen.findings if each.verdict in self._bad]
        if seen.findings and seen.mark not in self._known:
            raise seen

    def _note(self, allowed: Allowed, outcome: Outcome, seen: Seen) -> None:
        """Who may be a client now, on a target where they stay."""
        if outcome.status.stage in (Stage.EFFECTS, Stage.SUCCESS) and not self.run.target.control:
            number = seen.find("/data/id")
            self._tally.created[str(allowed.params.email)] = (
                number if isinstance(number, int) else None
            )

    def _bodiless(self, allowed: Allowed, answer: Answer) -> list[Finding]:
        """HEAD has the code and the headers of its status, and no body (Q-METHOD)."""
        codes = {each.status.code for each in allowed.outcomes}
        right = answer.code in codes and not answer.body
        wanted = " or ".join(map(str, sorted(codes)))
        return [judged("HTTP code", Grade.DECIDED, wanted, str(answer.code), right=right)]

    def _unanswered(
        self, layer: str, exchange: Exchange, send: Send, request: Request, failure: NoAnswer
    ) -> None:
        """Past the limit and a mebibyte, hanging up is right; else every request is answered."""
        if len(request.body) > reading.BODY_LIMIT + 1024 * 1024 and failure.kind == "closed":
            return
        finding = judged("answer", Grade.DOCUMENTED, "one", shown(str(failure)), right=False)
        self._raise_if_bad(Violation(layer, exchange, [finding], send))


def slug_of(exchange: Exchange, run: Run) -> str:
    """What was answered, in a word."""
    if exchange.answer is None:
        return "no answer"
    envelope = parsed(exchange.answer)
    seen = Seen(exchange.answer, envelope, run.target.layout, run.statuses)
    return seen.slug or f"HTTP {exchange.answer.code}"


def _secret(allowed: Allowed) -> list[str]:
    """The password, where it is long enough, and stands nowhere else in the request."""
    password = allowed.params.text("client.password")
    if password is None or len(password) < MEANINGFUL:
        return []
    others = [
        value
        for path, value in allowed.params.values.items()
        if isinstance(value, str) and path != "client.password"
    ]
    return [] if any(password in each for each in others) else [password]
