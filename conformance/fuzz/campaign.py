"""A campaign: its plan and budget, and everything it has found so far."""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from clients_register.conformance.control import ControlClient, ControlError
from clients_register.conformance.exchange import RunContext
from clients_register.conformance.fuzz.checker import (
    Checker,
    ContractViolation,
    Sandbox,
    TargetGone,
)
from clients_register.conformance.fuzz.coverage import CampaignCoverage
from clients_register.conformance.fuzz.model import initial_model
from clients_register.conformance.fuzz.precedence import PrecedenceMatrix
from clients_register.conformance.fuzz.search import BudgetSpent
from clients_register.conformance.http_client import HttpClient
from clients_register.conformance.interrupts import collect_interrupts
from clients_register.conformance.states import HookClient, HookError, StateArranger
from clients_register.conformance.target import Limiter, LimitReached, Limits, Target
from clients_register.spec.statuses import StatusTable

# How a campaign ends.
SPENT = "the budget is spent"
FIRST = "a fault is found"
LIMITED = "the profile allows no more"
GONE = "the target does not respond any more"
INTERRUPTED = "interrupted"

# Seconds between two looks for an interruption while waiting for a response, and the seconds that
# the response may take afterwards.
POLL_INTERVAL = 0.1
GRACE_PERIOD = 0.5


class CampaignEnded(KeyboardInterrupt):
    """The campaign is over, in one of the ways above; `why` has details.

    Derived from KeyboardInterrupt, because Hypothesis and Schemathesis would take anything else for
    a fault, or for a flaky example.
    """

    def __init__(self, how: str, why: str = "") -> None:
        super().__init__(how)
        self.how = how
        self.why = why


@dataclass(frozen=True)
class Budget:
    """When a campaign ends: after this many requests, or seconds if given."""

    requests: int
    seconds: float | None = None


@dataclass(frozen=True)
class Plan:
    """The plan of a campaign: layers by name, from a seed, within a budget.

    `first` ends it with the first violation. `on_progress` is called before each example; `restart`
    restarts the server on its data; `clock` returns the time in seconds.
    """

    layers: tuple[str, ...]
    seed: int
    budget: Budget
    strict: bool = False
    first: bool = False
    control_token: str | None = None
    on_progress: Callable[["Campaign", str], None] = lambda _campaign, _layer: None
    restart: Callable[[], None] | None = None
    clock: Callable[[], float] = time.monotonic


class SandboxProvider:
    """Provides sandboxes: new worlds of our stub, or the one state of another target."""

    def __init__(self, run: RunContext, hook: HookClient | None, control_token: str | None) -> None:
        self._run = run
        self._hook = hook
        self._token = control_token
        self._shared_model = initial_model(run.target)
        # Whether a request was given up, which may still arrive.
        self.gave_up = False

    @asynccontextmanager
    async def sandbox(self) -> AsyncIterator[Sandbox]:
        """Provides a sandbox for the time of the context; a new world is deleted afterwards."""
        target = self._run.target
        if not target.control:
            yield Sandbox(StateArranger(target, None, self._hook), self._shared_model, None, "")
            return
        name = f"fuzz-{self._run.id}-{secrets.token_hex(4)}"
        control = ControlClient(self._run.client, name, self._token)
        arranger = StateArranger(target, control, None)
        try:
            yield Sandbox(arranger, initial_model(target), control, control.prefix)
        finally:
            # A request that was given up may arrive after the first deletion and recreate it.
            for _ in range(1 + self.gave_up):
                # If this fails, nothing else can be done with the target either.
                with suppress(ControlError):
                    default_world = ControlClient(self._run.client, None, self._token)
                    await default_world.delete_world(name)


@dataclass
class Campaign:
    """A running campaign and what it has found.

    `finished` are the layers that ran to their end, `interrupts` the signals received.
    """

    run: RunContext
    portal: BlockingPortal
    sandboxes: SandboxProvider
    plan: Plan
    interrupts: Sequence[int]
    coverage: CampaignCoverage = field(default_factory=CampaignCoverage)
    matrix: PrecedenceMatrix = field(default_factory=PrecedenceMatrix)
    violations: list[ContractViolation] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.plan.clock()

    @property
    def seconds(self) -> float:
        """The time since the start."""
        return self.plan.clock() - self.started

    def remaining_requests(self, share: float) -> int:
        """Returns the requests left until `share` of the budget is spent; 0 if time is up."""
        budget = self.plan.budget
        if budget.seconds is not None and self.seconds >= share * budget.seconds:
            return 0
        return max(0, round(share * budget.requests) - self.run.limiter.requests)

    def spend(self, share: float, layer: str) -> None:
        """Reports progress. Raises BudgetSpent if nothing of `share` is left."""
        self.plan.on_progress(self, layer)
        if not self.remaining_requests(share):
            raise BudgetSpent

    @contextmanager
    def sandbox(self) -> Iterator[Sandbox]:
        """Provides a sandbox for the time of the context."""
        with self.portal.wrap_async_context_manager(self.sandboxes.sandbox()) as sandbox:
            yield sandbox

    def checker(self, sandbox: Sandbox) -> Checker:
        """Returns a checker for `sandbox` that ignores violations found before."""
        known = frozenset(each.signature for each in self.violations)
        return Checker(self.run, sandbox, self.coverage, strict=self.plan.strict, known=known)

    def call(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Runs an asynchronous function to its end. Raises CampaignEnded."""
        self.check_interrupted()
        running = self.portal.start_task_soon(function, *args)
        while wait((running,), POLL_INTERVAL).not_done:
            if self.interrupts and wait((running,), GRACE_PERIOD).not_done:
                # No more is sent into a world that is about to be deleted.
                running.cancel()
                self.sandboxes.gave_up = True
                self.check_interrupted()
        try:
            return running.result()
        except LimitReached as reason:
            raise CampaignEnded(LIMITED, str(reason)) from None
        except (TargetGone, ControlError, HookError) as reason:
            self.sandboxes.gave_up = True
            raise CampaignEnded(GONE, str(reason)) from None

    def check_interrupted(self) -> None:
        """Raises CampaignEnded after an interruption."""
        if self.interrupts:
            raise CampaignEnded(INTERRUPTED)

    def add(self, violation: ContractViolation | None) -> None:
        """Adds a violation unless it was found before. Raises CampaignEnded."""
        known = {each.signature for each in self.violations}
        if violation is not None and violation.signature not in known:
            self.violations.append(violation)
            if self.plan.first:
                raise CampaignEnded(FIRST)


@contextmanager
def new_campaign(target: Target, statuses: StatusTable, plan: Plan) -> Iterator[Campaign]:
    """Sets up a campaign. In this context, interruptions end it, and raise nothing.

    Raises ProfileError if certificates cannot be read.
    """
    with collect_interrupts() as interrupts, start_blocking_portal() as portal:

        async def open_client() -> HttpClient:
            return target.client()

        client = portal.call(open_client)
        try:
            limiter = Limiter(_limits(target, plan))
            run = RunContext(target, client, limiter, statuses, secrets.token_hex(4))
            hook_client = target.hook_client()
            hook = None if hook_client is None else HookClient(hook_client, str(target.hook))
            sandboxes = SandboxProvider(run, hook, plan.control_token)
            yield Campaign(run, portal, sandboxes, plan, interrupts)
        finally:
            portal.call(client.close)
            # Does not wait for requests that an interruption left unfinished.
            portal.call(lambda: portal.stop(cancel_remaining=True))


def _limits(target: Target, plan: Plan) -> Limits:
    """Returns the limits of the profile; for a bare (local) URL, as many as the plan needs."""
    if not target.bare:
        return target.limits
    # Every request may register a client, and layers exceed their share by their last example.
    needed = 2 * plan.budget.requests + target.limits.requests
    return replace(target.limits, requests=needed, clients=needed)
