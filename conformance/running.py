"""Runs cases on a target, side by side where that is safe."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from fnmatch import fnmatchcase

from clients_register.conformance.arranging import Arranger
from clients_register.conformance.control import Control
from clients_register.conformance.findings import Result
from clients_register.conformance.gate import Gate
from clients_register.conformance.hook import Hook
from clients_register.conformance.judging import INTERRUPTED, STUB, Bench, Run
from clients_register.conformance.model import WHOLE, Case
from clients_register.conformance.target import Target, origin_of
from clients_register.conformance.verdicts import Verdict
from clients_register.conformance.wire import Wire
from clients_register.spec.catalogue import Catalogue

# Worlds of the stub in which cases are run side by side.
WORLDS = 4

Listener = Callable[[Result], None]


async def run(
    cases: Sequence[Case],
    target: Target,
    catalogue: Catalogue,
    *,
    control_token: str | None = None,
    heard: Listener = lambda _: None,
) -> list[Result]:
    """The results of `cases`, in their order; `heard` gets each as soon as it is there.

    A run that is cancelled gives what it has: what was made on the target has to be told.
    Raises ProfileError where certificates cannot be read.
    """
    number = secrets.token_hex(4)
    results: dict[str, Result] = {}

    def done(result: Result) -> None:
        result = expected(result, target)
        results[result.case.id] = result
        heard(result)

    runnable = []
    for case in cases:
        reason = not_claimed(case, target)
        if reason is None:
            runnable.append(case)
        else:
            done(Result(case, Verdict.NOT_CLAIMED, reason))
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(target.wire())

        whole = Run(target, wire, Gate(target.limits), catalogue, number)

        def bench(world: str | None) -> Bench:
            control = Control(wire, world, control_token) if target.control else None
            arranger = Arranger(target, control, hook)
            return Bench(whole, arranger, control.prefix if control else "")

        hook = None
        if target.hook is not None:
            hook_wire = Wire(origin_of(target.hook), timeout=target.limits.timeout)
            stack.push_async_callback(hook_wire.close)
            hook = Hook(hook_wire, target.hook)
        # Whoever interrupts still learns what was made.
        with suppress(asyncio.CancelledError):
            if target.control:
                worlds = [f"conformance-{number}-{place}" for place in range(WORLDS)]
                stack.push_async_callback(_delete, wire, worlds, control_token)
                await _side_by_side(runnable, [bench(world) for world in worlds], done)
            else:
                alone = [case for case in runnable if WHOLE.intersection(case.arrange)]
                others = [case for case in runnable if case not in alone]
                shared = bench(None)
                await _side_by_side(others, [shared] * target.limits.parallel, done)
                await _side_by_side(alone, [shared], done)
    begun = whole.results
    return [
        results.get(case.id)
        or begun.get(case.id)
        or Result(case, Verdict.NOT_ARRANGED, INTERRUPTED)
        for case in cases
    ]


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


async def _side_by_side(cases: Sequence[Case], benches: Sequence[Bench], done: Listener) -> None:
    """Each bench takes the next case as soon as it is done with one."""
    waiting = iter(cases)

    async def work(bench: Bench) -> None:
        for case in waiting:
            done(await bench.judge(case))

    async with asyncio.TaskGroup() as group:
        for bench in benches:
            group.create_task(work(bench))


async def _delete(wire: Wire, worlds: Sequence[str], token: str | None) -> None:
    plane = Control(wire, None, token)
    for world in worlds:
        await plane.delete_world(world)
