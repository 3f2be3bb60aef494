"""Sets a campaign up on a target, and brings it to its end whatever happens."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from anyio.from_thread import start_blocking_portal

from clients_register.conformance.fuzzing import layers
from clients_register.conformance.fuzzing.campaign import SPENT, Campaign, Ended, Plan
from clients_register.conformance.fuzzing.worlds import Worlds
from clients_register.conformance.gate import Gate
from clients_register.conformance.hook import Hook
from clients_register.conformance.interrupting import interrupts
from clients_register.conformance.judging import Run
from clients_register.conformance.target import Limits, Target, origin_of
from clients_register.conformance.wire import Wire
from clients_register.spec.statuses import StatusTable


@contextmanager
def campaign(target: Target, statuses: StatusTable, plan: Plan) -> Iterator[Campaign]:
    """A campaign that is ready to go; interruptions end it, and raise nothing in this context.

    Raises ProfileError where certificates cannot be read.
    """
    with interrupts() as interruptions, start_blocking_portal() as portal:

        async def opened() -> Wire:
            return target.wire()

        wire = portal.call(opened)
        try:
            run = Run(target, wire, Gate(_limits(target, plan)), statuses, secrets.token_hex(4))
            hook = None
            if target.hook is not None:
                hook_wire = Wire(origin_of(target.hook), timeout=target.limits.timeout)
                hook = Hook(hook_wire, target.hook)
            worlds = Worlds(run, hook, plan.control_token)
            yield Campaign(run, portal, worlds, plan, interruptions)
        finally:
            portal.call(wire.close)
            # What an interruption left in the middle is not waited for.
            portal.call(lambda: portal.stop(cancel_remaining=True))


def go(campaign: Campaign) -> tuple[str, str]:
    """Runs the layers; returns how the campaign ended, and more of it."""
    try:
        layers.go(campaign)
    except Ended as end:
        return end.how, end.why
    return SPENT, ""


def _limits(target: Target, plan: Plan) -> Limits:
    """Those of the profile; of a bare URL, which is on this machine, as many as are asked for."""
    if not target.bare:
        return target.limits
    # Every request may register, and layers overshoot their share by their last example.
    most = 2 * plan.budget.requests + target.limits.requests
    return replace(target.limits, requests=most, clients=most)
