"""Runs one case: arranges, sends, holds the answer against what is expected."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from clients_register.conformance import invariants
from clients_register.conformance.arranging import ArrangementFailed, Arranger, NotArranged
from clients_register.conformance.composing import Values, compose, params_of
from clients_register.conformance.control import ControlFailed
from clients_register.conformance.envelope import ABSENT, at, parsed
from clients_register.conformance.findings import Exchange, Finding, Result, judged
from clients_register.conformance.gate import Gate, LimitReached
from clients_register.conformance.hook import HookFailed
from clients_register.conformance.matching import Seen, match, row_of, spellings
from clients_register.conformance.model import Case, Expectation, Send
from clients_register.conformance.target import Target
from clients_register.conformance.verdicts import Verdict, worst
from clients_register.conformance.wire import NoAnswer, Request, Wire
from clients_register.spec.statuses import StatusTable

# The feature whose cases are about our stub, whose misuse is no answer of the contract.
STUB = "stub"

# Codes by which something in front of a server says that it is overloaded or gone.
OVERLOADED = (429, 502, 503, 504)


# Why a case that was begun, or was still to come, came to nothing.
INTERRUPTED = "interrupted"

# What a stub marks answers with that were asked for.
FORCED = "Mock-Forced"


class Unreal(Exception):
    """Not the rules of the target answered; the message says what did."""


@dataclass(frozen=True)
class Run:
    """What all cases of a run have in common. `name` is part of every fresh address.

    `results` are those of cases that were begun, by their ids.
    """

    target: Target
    wire: Wire
    gate: Gate
    statuses: StatusTable
    name: str
    ids: set[str] = field(default_factory=set)
    results: dict[str, Result] = field(default_factory=dict)


class Bench:
    """One target, or one world of it, on which one case after the other is run."""

    def __init__(self, run: Run, arranger: Arranger, prefix: str = "") -> None:
        """`prefix` stands before each path."""
        self._target = run.target
        self._wire = run.wire
        self._gate = run.gate
        self._catalogue = run.statuses
        self._run = run
        self._arranger = arranger
        self._prefix = prefix

    async def judge(self, case: Case) -> Result:
        """What comes of `case`."""
        result = self._run.results[case.id] = Result(case, reason=INTERRUPTED)
        started = time.perf_counter()
        target = self._target
        values = Values(target.email_domain, self._run.name, target.placeholders)
        try:
            await self._run_through(case, values, result)
            seen = [each.verdict for each in result.findings]
            told = [each for each in seen if each is not Verdict.OBSERVED]
            # What could not be looked at takes nothing from what could.
            result.verdict = worst(told) if told else Verdict.OBSERVED
            result.reason = None
        except (NotArranged, LimitReached) as reason:
            result.verdict, result.reason = Verdict.NOT_ARRANGED, str(reason)
        except (ArrangementFailed, ControlFailed, HookFailed, NoAnswer, Unreal) as reason:
            result.verdict, result.reason = Verdict.ERROR, str(reason)
        except (ValueError, LookupError, TypeError) as error:
            # A case file, the control plane or a hook is not as agreed: that spoils one case.
            result.verdict = Verdict.ERROR
            result.reason = f"a defect: {type(error).__name__}: {error}"
        except asyncio.CancelledError:
            result.verdict = Verdict.NOT_ARRANGED
            raise
        finally:
            result.seconds = time.perf_counter() - started
            result.emails, result.secrets = values.emails, [*values.secrets, *values.tokens]
            await self._restore(case, result)
        return result

    async def _restore(self, case: Case, result: Result) -> None:
        try:
            await self._arranger.restore(case.arrange)
        except (ControlFailed, HookFailed) as reason:
            result.verdict, result.reason = Verdict.ERROR, str(reason)

    async def _run_through(self, case: Case, values: Values, result: Result) -> None:
        async def register(email: str, password: str) -> Mapping[str, Any]:
            values.keep({"arranged.email": email, "arranged.password": password})
            changes = {
                "client.email": "${arranged.email}",
                "client.password": "${arranged.password}",
            }
            exchange = await self._exchange("arrange", Send(set=changes), values, result)
            seen = self._seen(exchange)
            if seen.slug != self._catalogue.success.slug:
                raise ArrangementFailed(
                    f"client: expected {self._catalogue.success.slug}, found"
                    f" {seen.slug or exchange.failure or 'no status'}"
                )
            token = seen.find("/session/token")
            return {"token": token} if isinstance(token, str) else {}

        for state in case.arrange:
            await self._arranger.reach(state, values, register)
        for step in case.before:
            if step.advance is not None:
                await self._arranger.advance(step.advance)
            if step.send is not None:
                exchange = await self._exchange("before", step.send, values, result)
                values.keep(self._kept(step.keep, exchange))
        if case.parallel > 1:
            sends = (
                self._exchange("send", case.send, values, result) for _ in range(case.parallel)
            )
            exchanges = await asyncio.gather(*sends)
            for exchange in exchanges:
                self._invariants(case, exchange, values, result)
            outcomes = Counter(self._seen(each).slug for each in exchanges)
            for expectation in case.expect:
                result.findings += self._outcomes(expectation, outcomes)
            return
        exchange = await self._exchange("send", case.send, values, result)
        self._invariants(case, exchange, values, result)
        for expectation in case.expect:
            filled = Expectation(
                expectation.kind, expectation.grade, values.fill(expectation.terms)
            )
            if filled.kind in ("stored", "mailed"):
                result.findings += await self._effect(filled)
            else:
                result.findings += match(filled, self._seen(exchange))

    async def _exchange(self, role: str, send: Send, values: Values, result: Result) -> Exchange:
        """Sends once. Raises NoAnswer, Unreal, LimitReached, UnknownPlaceholder."""
        request = compose(send, values, self._target.headers)
        hidden = dict.fromkeys(self._target.headers, "…")
        shown = compose(send, values.discreet(), hidden)
        exchange = Exchange(role, shown, params_of(send, values.discreet()))
        await self._gate.pass_(registers=_may_register(request))
        result.exchanges.append(exchange)
        try:
            exchange.answer = await self._wire.send(self._in_world(request))
        except NoAnswer as failure:
            exchange.failure = failure
            raise
        if result.case.claims != STUB and exchange.answer.header(FORCED) is not None:
            raise Unreal(f"the answer is forced ({FORCED}), and so no evidence of anything")
        exchange.envelope = parsed(exchange.answer)
        slug = self._seen(exchange).slug
        if slug is None and exchange.answer.code in OVERLOADED:
            self._gate.slow_down()
            raise Unreal(f"HTTP {exchange.answer.code} without a status: is it overloaded?")
        if row_of(slug, self._catalogue) is not None:
            result.statuses.append(str(slug))
        return exchange

    def _in_world(self, request: Request) -> Request:
        """The request in the world of this bench, of which nothing is shown: it will be gone."""
        return replace(request, target=self._prefix + request.target)

    def _seen(self, exchange: Exchange) -> Seen:
        assert exchange.answer is not None, "an exchange without an answer has raised"
        return Seen(exchange.answer, exchange.envelope, self._target.layout, self._catalogue)

    def _kept(self, pointers: Mapping[str, str], exchange: Exchange) -> dict[str, Any]:
        kept = {}
        for name, pointer in pointers.items():
            found = at(exchange.envelope, self._target.layout.place(pointer))
            if found is ABSENT:
                raise NotArranged(name, f"the answer holds nothing at {pointer}")
            kept[name] = found
        return kept

    def _invariants(self, case: Case, exchange: Exchange, values: Values, result: Result) -> None:
        if case.claims == STUB:
            return
        seen = self._seen(exchange)
        sent = exchange.shown.body
        found = invariants.check(seen, values.secrets, self._run.ids, sent=sent)
        result.findings += [each for each in found if each.verdict is not Verdict.PASS]

    def _outcomes(
        self, expectation: Expectation, outcomes: Mapping[str | None, int]
    ) -> list[Finding]:
        found = dict(sorted((str(slug), count) for slug, count in outcomes.items()))
        wanted = expectation.terms["outcomes"]
        right = sum(outcomes.values()) == sum(wanted.values()) and all(
            sum(outcomes.get(each, 0) for each in spellings(slug, self._catalogue)) == count
            for slug, count in wanted.items()
        )
        return [judged("outcomes", expectation.grade, str(wanted), str(found), right=right)]

    async def _effect(self, expectation: Expectation) -> list[Finding]:
        terms, grade = expectation.terms, expectation.grade
        email = terms["email"]
        found: Any = await getattr(self._arranger, expectation.kind)(email)
        if found is None:
            return [Finding(Verdict.OBSERVED, grade, expectation.kind, "", "not observable here")]
        wanted = terms[expectation.kind]
        return [
            judged(
                f"{expectation.kind} {email}",
                grade,
                str(wanted),
                str(found),
                right=found == wanted,
            )
        ]


def _may_register(request: Request) -> bool:
    return request.method == "POST" and bool(request.body)
