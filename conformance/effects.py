"""Checks the responses to the requests of a step, and what they leave behind on the target."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

from clients_register.conformance.case import EFFECT_KINDS, Expectation, Step
from clients_register.conformance.checks import check_expectation
from clients_register.conformance.control import FoundRecords
from clients_register.conformance.exchange import Exchange, RunContext
from clients_register.conformance.fuzz.decoding import decode_request
from clients_register.conformance.fuzz.params import PassedParams
from clients_register.conformance.fuzz.response_checks import check_as_sent
from clients_register.conformance.request import Values
from clients_register.conformance.results import Finding, Verdict
from clients_register.conformance.states import StateArranger


def check_responses(
    step: Step, exchanges: Sequence[Exchange], values: Values, run: RunContext
) -> Iterator[Finding]:
    """Compares the responses to the requests of a step with its expectations.

    Those about a single response are compared with the first one.
    """
    for expectation in step.expect:
        if expectation.kind == "outcomes":
            yield _check_outcomes(expectation, exchanges, run)
        elif expectation.kind == "as_sent":
            yield from _check_as_sent(expectation, exchanges, run)
        elif expectation.kind not in EFFECT_KINDS:
            yield from check_expectation(_fill(expectation, values), run.parse(exchanges[0]))
    for each, exchange in zip(step.together, exchanges[1:], strict=False):
        yield from check_responses(each, [exchange], values, run)


class EffectObserver:
    """Observes what the requests of a step leave behind.

    All methods raise ControlError and HookError.
    """

    def __init__(
        self, arranger: StateArranger, expect: Sequence[Expectation], values: Values
    ) -> None:
        self._arranger = arranger
        self._expect = [each for each in expect if each.kind in EFFECT_KINDS]
        self._values = values
        self._last_used_at: dict[str, str | None] = {}
        self._request_ids: set[str] = set()

    async def prepare(self) -> None:
        """Records, before the requests are sent, what shows only in a comparison."""
        for each in self._expect:
            if each.kind == "used":
                token = str(_fill(each, self._values).terms["token"])
                self._last_used_at[token] = await self._arranger.last_used_at(token)

    async def check(self, exchanges: Sequence[Exchange]) -> AsyncIterator[Finding]:
        """Compares the effects of the `exchanges` of a case with what is expected."""
        responses = (each.response for each in exchanges if each.response is not None)
        self._request_ids = {id_ for each in responses for id_ in each.values("X-Request-Id")}
        for each in self._expect:
            filled = _fill(each, self._values)
            check = self._check_use if each.kind == "used" else self._check_records
            yield await check(filled)

    async def _check_records(self, expectation: Expectation) -> Finding:
        kind, terms = expectation.kind, expectation.terms
        email = str(terms["email"])
        if kind == "stored":
            found = await self._arranger.find_clients(email)
        else:
            found = await self._arranger.find_mails(email, self._request_ids)
        if found is None:
            return _unobservable(expectation)
        expected = terms[kind]
        received: bool | int = found.count > 0 if kind == "stored" else found.count
        what, grade = f"{kind} {email}", expectation.grade
        if received != expected or not _is_misspelled(found, email):
            met = received == expected
            return Finding.of(what, grade, str(expected), str(received), met=met)
        addresses = ", ".join(found.addresses or ())
        return Finding.of(f"spelling of {what}", grade, email, addresses, met=False)

    async def _check_use(self, expectation: Expectation) -> Finding:
        token, expected = str(expectation.terms["token"]), expectation.terms["used"]
        before, after = self._last_used_at[token], await self._arranger.last_used_at(token)
        if before is None or after is None:
            return _unobservable(expectation)
        shown = f"{before}, {'moved' if expected else 'as before'}"
        met = (before != after) == expected
        return Finding.of("last_used_at of the session", expectation.grade, shown, after, met=met)


def _check_outcomes(
    expectation: Expectation, exchanges: Sequence[Exchange], run: RunContext
) -> Finding:
    counts = Counter(run.parse(each).slug for each in exchanges)
    expected = expectation.terms["outcomes"]
    met = counts.total() == sum(expected.values()) and all(
        sum(counts[each] for each in run.statuses.spellings(slug)) == count
        for slug, count in expected.items()
    )
    found = dict(sorted((str(slug), count) for slug, count in counts.items()))
    return Finding.of("outcomes", expectation.grade, str(expected), str(found), met=met)


def _check_as_sent(
    expectation: Expectation, exchanges: Sequence[Exchange], run: RunContext
) -> Iterator[Finding]:
    missed = False
    for exchange in exchanges:
        parsed = run.parse(exchange)
        if parsed.slug in run.statuses.spellings(run.statuses.success.slug):
            sent = exchange.sent
            assert sent is not None, "each request of a case is recorded"
            params = PassedParams(decode_request(sent.headers, sent.body).value)
            for miss in check_as_sent(params, {}, expectation.cause, parsed):
                missed = True
                yield miss
    if not missed:
        yield Finding.of("success", expectation.grade, "as sent", "as sent", met=True)


def _fill(expectation: Expectation, values: Values) -> Expectation:
    return replace(expectation, terms=values.fill(expectation.terms))


def _is_misspelled(found: FoundRecords, email: str) -> bool:
    return any(each != email for each in found.addresses or ())


def _unobservable(expectation: Expectation) -> Finding:
    terms = Verdict.OBSERVED, expectation.grade, expectation.kind, "", "not observable here"
    return Finding(*terms)
