"""Runs cases on a target, side by side where that is safe."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from clients_register.conformance.arranging import Arranger
from clients_register.conformance.control import Control, ControlFailed
from clients_register.conformance.findings import Result
from clients_register.conformance.gate import Gate
from clients_register.conformance.hook import Hook
from clients_register.conformance.judging import INTERRUPTED, STUB, Bench, Run
from clients_register.conformance.model import WHOLE, Case
from clients_register.conformance.target import Target, origin_of
from clients_register.conformance.verdicts import Verdict
from clients_register.conformance.wire import Wire
from clients_register.spec.statuses import StatusTable

# Worlds of the stub in which cases are run side by side.
WORLDS = 4

Listener = Callable[[Result], None]


@dataclass
class Runner:
    """Runs `cases` on a target; `heard` gets each result as soon as it is there."""

    cases: Sequence[Case]
    target: Target
    statuses: StatusTable
    control_token: str | None = None
    heard: Listener = lambda _: None
    _done: dict[str, Result] = field(default_factory=dict)
    _begun: Mapping[str, Result] = field(default_factory=dict)

    async def go(self) -> None:
        """Runs them, once. Raises ProfileError where certificates cannot be read."""
        target = self.target
        runnable = []
        for case in self.cases:
            reason = not_claimed(case, target)
            if reason is None:
                runnable.append(case)
            else:
                self._hear(Result(case, Verdict.NOT_CLAIMED, reason))
        number = secrets.token_hex(4)
        wire = target.wire()
        whole = Run(target, wire, Gate(target.limits), self.statuses, number)
        self._begun = whole.results
        stack = AsyncExitStack()
        stack.push_async_exit(wire)
        hook = None
        if target.hook is not None:
            hook_wire = Wire(origin_of(target.hook), timeout=target.limits.timeout)
            stack.push_async_exit(hook_wire)
            hook = Hook(hook_wire, target.hook)

        def bench(world: str | None) -> Bench:
            control = Control(wire, world, self.control_token) if target.control else None
            arranger = Arranger(target, control, hook)
            return Bench(whole, arranger, control.prefix if control else "")

        try:
            if target.control:
                worlds = [f"conformance-{number}-{place}" for place in range(WORLDS)]
                stack.push_async_callback(_delete, wire, worlds, self.control_token)
                await self._side_by_side(runnable, [bench(world) for world in worlds])
            else:
                alone = [case for case in runnable if WHOLE.intersection(case.arrange)]
                others = [case for case in runnable if case not in alone]
                shared = bench(None)
                await self._side_by_side(others, [shared] * target.limits.parallel)
                await self._side_by_side(alone, [shared])
        finally:
            await _in_any_case(stack.aclose())

    async def go_until_cancelled(self) -> bool:
        """The same; whether it came to its end. For who tells what was made meanwhile."""
        try:
            await self.go()
        except asyncio.CancelledError:
            return False
        return True

    @property
    def results(self) -> list[Result]:
        """Those of all cases, in their order; of a run that was cancelled, as far as it came."""
        return [
            self._done.get(case.id)
            or self._begun.get(case.id)
            or Result(case, Verdict.NOT_ARRANGED, INTERRUPTED)
            for case in self.cases
        ]

    def _hear(self, result: Result) -> None:
        result = expected(result, self.target)
        self._done[result.case.id] = result
        self.heard(result)

    async def _side_by_side(self, cases: Sequence[Case], benches: Sequence[Bench]) -> None:
        """Each bench takes the next case as soon as it is done with one."""
        waiting = iter(cases)

        async def work(bench: Bench) -> None:
            for case in waiting:
                self._hear(await bench.judge(case))

        async with asyncio.TaskGroup() as group:
            for bench in benches:
                group.create_task(work(bench))


async def run(
    cases: Sequence[Case],
    target: Target,
    statuses: StatusTable,
    *,
    control_token: str | None = None,
) -> list[Result]:
    """The results of `cases`, in their order. Raises ProfileError, see `Runner.go`."""
    runner = Runner(cases, target, statuses, control_token)
    await runner.go()
    return runner.results


def not_claimed(case: Case, target: Target) -> str | None:
    """Why `case` is not about `target`, if it is not."""
    if case.claims == STUB:
        return None if target.control else "is about the stub, and its control plane is not there"
    if case.claims not in target.claims:
        return f"the target does not claim {case.claims}"
    return None


def expected(result: Result, target: Target) -> Result:
    """The result, in the light of the answers and the failures that the profile tells."""
    answers = [target.answers[key] for key in result.case.questions if key in target.answers]
    if answers and result.verdict in (Verdict.NOTE, Verdict.WARN):
        result.verdict = Verdict.OBSERVED
        result.reason = f"an open question, which the profile answers otherwise: {answers[0]}"
    for known in target.known_failures:
        if not fnmatchcase(result.case.id, known.cases):
            continue
        since = f"{known.reason} (since {known.since})"
        if result.verdict is Verdict.FAIL:
            result.verdict, result.reason = Verdict.EXPECTED_FAILURE, since
        elif result.verdict is Verdict.PASS:
            result.verdict = Verdict.UNEXPECTED_PASS
            result.reason = f"passes, though known to fail: {since}; take it out of the profile"
    return result


async def _in_any_case(work: Coroutine[Any, Any, object]) -> None:
    """Does `work` to its end, even where it is cancelled meanwhile. Raises CancelledError then."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _delete(wire: Wire, worlds: Sequence[str], token: str | None) -> None:
    plane = Control(wire, None, token)
    # The target may be gone, and the results of the cases say so already.
    with suppress(ControlFailed):
        for world in worlds:
            await plane.delete_world(world)
