"""Runs cases on a target: `SuiteRunner` runs all, concurrently where safe; `CaseRunner` one.

for each case that the target claims, on a free runner:
  arrange the states -> send the steps before -> send the judged request
  -> check invariants -> check expectations -> restore the states
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from clients_register.conformance.case import (
    SERVER_STATES,
    STUB,
    Case,
    RequestTemplate,
    Step,
)
from clients_register.conformance.checks import check_invariants, check_responses
from clients_register.conformance.control import (
    ControlClient,
    ControlError,
    describe_leftovers,
)
from clients_register.conformance.exchange import (
    FORCED,
    ArrangementFailed,
    ClientRegistrar,
    Exchange,
    RunContext,
    Sender,
    send_concurrently,
)
from clients_register.conformance.grades import Part, basis_of
from clients_register.conformance.http_client import REFUSED, HttpClient, NoResponse
from clients_register.conformance.redaction import is_secret
from clients_register.conformance.request import Values
from clients_register.conformance.response import ABSENT
from clients_register.conformance.results import (
    Finding,
    Result,
    Verdict,
    apply_profile,
    rank,
    verdict_of,
)
from clients_register.conformance.states import (
    EffectObserver,
    HookClient,
    HookError,
    NotArranged,
    StateArranger,
    arrangement_for,
    find_unknown_value,
    is_reachable,
)
from clients_register.conformance.target import Limiter, LimitReached, ProfileError, Target
from clients_register.spec.statuses import StatusTable

# Worlds of the stub in which cases run concurrently.
WORLDS = 4

# The role of the exchange that a case judges.
JUDGED_ROLE = "send"

# The reason of cases that were not finished.
INTERRUPTED = "interrupted"


class ValueUnknown(Exception):
    """A case needs a value of the profile, called `name`, that is not known."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: none is known; a profile can name one ({name}: ...)")
        self.name = name


class ValueMissing(Exception):
    """A response lacks a value that a later request of the case needs; the message says which."""


class NotJudgeable(Exception):
    """A response says nothing about the target's rules; the message says why."""


class Crash(Exception):
    """The target failed on a request; the message says what came instead of its response."""


class CaseRunner:
    """Runs cases one after another on a target, or on one world of it."""

    def __init__(self, run: RunContext, arranger: StateArranger, prefix: str = "") -> None:
        """`prefix` is the path of the world."""
        self._run = run
        self._arranger = arranger
        self._sender = Sender(run, prefix)

    async def run(self, case: Case, result: Result) -> None:
        """Runs `case` and completes its `result`, also when cancelled."""
        started = time.perf_counter()
        values = self._run.new_values()
        try:
            await self._run_steps(case, values, result)
            result.verdict, result.reason = verdict_of(result.findings), None
        except (NotArranged, ValueUnknown, ValueMissing, LimitReached) as reason:
            result.verdict, result.reason = Verdict.NOT_ARRANGED, str(reason)
            result.missing_state = reason.state if isinstance(reason, NotArranged) else None
            result.missing_value = reason.name if isinstance(reason, ValueUnknown) else None
            missed = any(each.missed and not each.apart for each in result.findings)
            if missed and isinstance(reason, ValueMissing):
                result.verdict, result.reason = verdict_of(result.findings), None
        except Crash as crash:
            expected = "a response with a status of the contract"
            finding = Finding.of(
                "response", basis_of(Part.RESPONSE), expected, str(crash), met=False
            )
            result.findings.append(finding)
            result.verdict, result.reason = finding.verdict, None
        except (ArrangementFailed, ControlError, HookError, NoResponse, NotJudgeable) as reason:
            result.verdict, result.reason = Verdict.ERROR, str(reason)
        except Exception as error:  # noqa: BLE001 - whatever is faulty, the other cases are reported
            result.verdict, result.reason = Verdict.ERROR, describe_defect(error)
        except asyncio.CancelledError:
            result.verdict = Verdict.NOT_ARRANGED
            raise
        finally:
            result.seconds = time.perf_counter() - started
            result.emails, result.secrets = values.emails, [*values.secrets, *values.tokens]
            await self._restore(case, result)

    async def _restore(self, case: Case, result: Result) -> None:
        try:
            await self._arranger.restore(case.arrange)
        except (ControlError, HookError) as reason:
            result.verdict, result.reason = Verdict.ERROR, str(reason)
        except Exception as error:  # noqa: BLE001 - as above
            result.verdict, result.reason = Verdict.ERROR, describe_defect(error)

    async def _run_steps(self, case: Case, values: Values, result: Result) -> None:
        async def send(role: str, send: RequestTemplate) -> Exchange:
            return await self._send(role, send, values, result)

        unknown = find_unknown_value(self._run.target, case)
        if unknown is not None:
            raise ValueUnknown(unknown)
        register = ClientRegistrar(self._run, values, lambda request: send("arrange", request))
        for state in case.arrange:
            await self._arranger.arrange(state, values, register)
        for step in case.before:
            if step.advance is not None:
                await self._arranger.advance(step.advance)
            if step.send is not None:
                await self._run_step("before", step, values, result)
        await self._run_step(JUDGED_ROLE, case.judged, values, result)

    async def _run_step(self, role: str, step: Step, values: Values, result: Result) -> None:
        """Sends the requests of a step and adds findings about their responses to `result`."""
        effects = EffectObserver(self._arranger, step.expect, values)
        await effects.prepare()
        position = None if role == JUDGED_ROLE else len(result.exchanges)
        exchanges = await send_concurrently(
            self._send(role, each, values, result) for each in step.sends
        )
        invariants: list[Finding] = []
        for exchange in exchanges:
            if role != JUDGED_ROLE and not step.expect:
                parsed = self._run.parse(exchange)
                self._run.request_ids.update(parsed.response.values("X-Request-Id"))
            elif result.case.claims != STUB:
                invariants += self._check_invariants(exchange, values)
        findings = [*check_responses(step, exchanges, values, self._run)]
        if len(exchanges) == 1:
            # An invariant that the case also checks counts only if its verdict is worse.
            own = {each.what: rank(each.verdict) for each in findings}
            invariants = [
                each for each in invariants if rank(each.verdict) > own.get(each.what, -1)
            ]
        # They count even if a value is missing.
        findings[:0] = invariants
        result.findings += (replace(each, exchange=position) for each in findings)
        if step.keep:
            self._keep(step.keep, exchanges, values)
        observed = [each async for each in effects.check(result.exchanges)]
        result.findings += (replace(each, exchange=position) for each in observed)

    async def _send(
        self, role: str, send: RequestTemplate, values: Values, result: Result
    ) -> Exchange:
        """Raises Crash, NoResponse, NotJudgeable, LimitReached, UnknownPlaceholder."""
        run = self._run
        _, exchange = await self._sender.send_once(send, values, role, result.exchanges.append)
        if exchange.failure is not None:
            if exchange.failure.kind == REFUSED:
                # The server is not there, whatever the reason.
                raise exchange.failure
            raise Crash(str(exchange.failure))
        if result.case.claims != STUB and exchange.forced:
            raise NotJudgeable(f"the response is forced ({FORCED}), so it proves nothing")
        parsed = run.parse(exchange)
        if role == "arrange":
            run.request_ids.update(parsed.response.values("X-Request-Id"))
        if parsed.body.unsupported is not None:
            raise NotJudgeable(
                f"the response is {parsed.body.unreadable}; have the target, or the proxy in front"
                " of it, send none to callers without Accept-Encoding"
            )
        if run.is_overloaded(exchange):
            run.limiter.slow_down()
            code = parsed.response.code
            raise NotJudgeable(f"HTTP {code} without a status: is the target overloaded?")
        if (row := run.statuses.find(parsed.slug)) is not None:
            result.statuses.append(row.slug)
        elif role != JUDGED_ROLE and result.case.claims != STUB:
            raise Crash(parsed.describe_status())
        return exchange

    def _keep(
        self, pointers: Mapping[str, str], exchanges: Sequence[Exchange], values: Values
    ) -> None:
        slugs = self._run.statuses.spellings(self._run.statuses.success.slug)
        succeeded = (each for each in exchanges if self._run.parse(each).slug in slugs)
        kept = self._extract(pointers, next(succeeded, exchanges[0]))
        values.tokens += [str(kept[name]) for name in kept if is_secret(pointers[name])]
        values.update(kept)

    def _extract(self, pointers: Mapping[str, str], exchange: Exchange) -> dict[str, Any]:
        parsed = self._run.parse(exchange)
        found = {name: parsed.find(pointer) for name, pointer in pointers.items()}
        for name, value in found.items():
            if value is ABSENT:
                raise ValueMissing(
                    f"{name}: the response to the request before has no value at {pointers[name]}"
                )
        return found

    def _check_invariants(self, exchange: Exchange, values: Values) -> Iterator[Finding]:
        run = self._run
        findings = check_invariants(
            run.parse(exchange), values.secrets, run.request_ids, exchange.sent or exchange.request
        )
        return (each for each in findings if each.verdict is not Verdict.PASS)


# Without a `repr`: asyncio.run formats the result of its task and discards the text.
@dataclass(repr=False)
class SuiteRunner:
    """Runs `cases` on a target.

    `on_result` gets each result as soon as it is final. Runs that share a `limiter` keep the limits
    of the target together; by default, a run has its own. `request_ids` are those of all responses,
    to which another run may have added some. `defect` describes an exception that ended the run, if
    there was one.
    """

    cases: Sequence[Case]
    target: Target
    statuses: StatusTable
    control_token: str | None = None
    on_result: Callable[[Result], None] = lambda _: None
    limiter: Limiter | None = None
    request_ids: set[str] = field(default_factory=set)
    defect: str | None = field(default=None, init=False)
    _results: dict[str, Result] = field(default_factory=dict, init=False)
    _leftovers: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def results(self) -> list[Result]:
        """The results of all cases, in their order; after a cancellation, as far as it got."""
        unfinished = (Verdict.NOT_ARRANGED, INTERRUPTED)
        if self.defect is not None:
            unfinished = (Verdict.ERROR, self.defect)
        return [self._results.get(case.id) or Result(case, *unfinished) for case in self.cases]

    @property
    def warnings(self) -> list[str]:
        """Warnings about what was not cleaned up."""
        return describe_leftovers(self._leftovers)

    async def run(self) -> None:
        """Runs the cases once. Raises ProfileError if certificates cannot be read."""
        target = self.target
        claimed = [case for case in self.cases if self._is_claimed(case)]
        run_id = secrets.token_hex(4)
        limiter = self.limiter or Limiter(target.limits)
        client = target.client()
        run = RunContext(target, client, limiter, self.statuses, run_id, self.request_ids)
        cleanup = AsyncExitStack()
        cleanup.push_async_exit(client)
        hook = None
        if (hook_client := target.hook_client()) is not None:
            cleanup.push_async_exit(hook_client)
            hook = HookClient(hook_client, str(target.hook))

        def new_runner(world: str | None) -> CaseRunner:
            # The requests of a case, one after another, use one connection.
            own = client.with_own_connections()
            cleanup.push_async_exit(own)
            control = None
            if target.control:
                control = ControlClient(own, world, self.control_token)
            arranger = StateArranger(target, control, hook)
            prefix = control.prefix if control else ""
            return CaseRunner(replace(run, client=own), arranger, prefix)

        try:
            if target.control:
                worlds = [f"conformance-{run_id}-{number}" for number in range(WORLDS)]
                cleanup.push_async_callback(self._delete_worlds, client, worlds)
                await self._run_concurrently(claimed, [new_runner(world) for world in worlds])
            else:
                alone = [case for case in claimed if SERVER_STATES.intersection(case.arrange)]
                others = [case for case in claimed if case not in alone]
                runners = [new_runner(None) for _ in range(target.limits.parallel)]
                await self._run_concurrently(others, runners)
                await self._run_concurrently(alone, runners[:1])
        finally:
            # The worlds are deleted even if the run is cancelled.
            await _finish(cleanup.aclose())

    async def run_until_cancelled(self) -> bool:
        """Runs the cases; returns False, and does not raise, if it is cancelled.

        After a defect of the suite, the cases that were not finished are errors.
        """
        try:
            await self.run()
        except asyncio.CancelledError:
            return False
        except ProfileError:
            raise
        except Exception as error:  # noqa: BLE001 - what was found is reported nevertheless
            self.defect = describe_defect(error)
            return False
        return True

    def _is_claimed(self, case: Case) -> bool:
        reason = reason_not_claimed(case, self.target)
        if reason is not None:
            result = Result(case, Verdict.NOT_CLAIMED, reason)
            self._results[case.id] = result
            self.on_result(result)
        return reason is None

    async def _run_concurrently(self, cases: Iterable[Case], runners: Sequence[CaseRunner]) -> None:
        waiting = iter(cases)

        async def work(runner: CaseRunner) -> None:
            for case in waiting:
                result = self._results[case.id] = Result(case, reason=INTERRUPTED)
                await runner.run(case, result)
                apply_profile(result, self.target)
                self.on_result(result)

        async with asyncio.TaskGroup() as group:
            for runner in runners:
                group.create_task(work(runner))

    async def _delete_worlds(self, client: HttpClient, worlds: Sequence[str]) -> None:
        control = ControlClient(client, None, self.control_token)

        async def delete(world: str) -> None:
            try:
                await control.delete_world(world)
            except ControlError as reason:
                self._leftovers[world] = str(reason)

        await asyncio.gather(*map(delete, worlds))


async def run_cases(cases: Sequence[Case], target: Target, statuses: StatusTable) -> list[Result]:
    """Runs `cases` and returns their results in the same order. Raises ProfileError."""
    runner = SuiteRunner(cases, target, statuses)
    await runner.run()
    return runner.results


@dataclass(frozen=True)
class RequestBound:
    """The most requests that a run sends, as its limiter counts them.

    `clients` are those that may register a client. The requests of the smoke test, and those to
    the control plane and to the hook, are not counted.
    """

    requests: int
    clients: int


def runnable_cases(cases: Iterable[Case], target: Target) -> list[Case]:
    """Returns those of `cases` that apply to `target` and whose states it can reach."""
    return [
        case
        for case in cases
        if reason_not_claimed(case, target) is None and is_reachable(target, case)
    ]


def bound_requests(cases: Iterable[Case], target: Target) -> RequestBound:
    """Returns the bound for a run of `cases` on `target`, if no limit ends it before."""
    runnable = runnable_cases(cases, target)
    planned = (send for case in runnable for send in _planned_sends(case, target))
    sends = [send for send in planned if target.limits.writes or not send.may_register]
    return RequestBound(len(sends), sum(send.may_register for send in sends))


def _planned_sends(case: Case, target: Target) -> Iterator[RequestTemplate]:
    """Yields each request that `CaseRunner` sends for a case that it can run to its end."""
    for state in case.arrange:
        if arrangement_for(target, state) == "api":
            yield RequestTemplate()
    for step in case.steps:
        yield from step.sends


def describe_defect(error: BaseException) -> str:
    """Describes an exception that nothing accounts for."""
    if isinstance(error, BaseExceptionGroup):
        return describe_defect(error.exceptions[0])
    return f"a defect: {type(error).__name__}: {error}"


def reason_not_claimed(case: Case, target: Target) -> str | None:
    """Returns why `case` does not apply to `target`; None if it does."""
    if case.claims == STUB:
        return None if target.control else "is about the stub, whose control plane is not there"
    for each in (case.claims, *case.also_claims):
        if each not in target.claims:
            return f"the target does not claim {each}"
    return None


async def _finish(work: Coroutine[Any, Any, object]) -> None:
    """Completes `work` even if cancelled meanwhile; then raises CancelledError."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
