"""A campaign: its plan and budget, and everything it has found so far."""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
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
from clients_register.conformance.fuzz.precedence import PrecedenceMatrix
from clients_register.conformance.fuzz.search import BudgetSpent, SearchEnded
from clients_register.conformance.fuzz.world_model import initial_model
from clients_register.conformance.http_client import HttpClient
from clients_register.conformance.interrupts import collect_interrupts
from clients_register.conformance.states import HookClient, HookError, StateArranger
from clients_register.conformance.target import BudgetReached, Limiter, LimitReached, Target
from clients_register.spec.statuses import StatusTable

# The ways in which a campaign ends.
SPENT = "the budget is spent"
FIRST = "a fault is found"
LIMITED = "the profile allows no more"
GONE = "the target does not respond any more"
DEFECTIVE = "the suite is defective"
INTERRUPTED = "interrupted"

# Seconds between two checks for an interruption or the end of the time while a response is awaited,
# and the seconds that the response may take afterwards.
POLL_INTERVAL = 0.1
GRACE_PERIOD = 0.5


class CampaignEnded(SearchEnded):
    """The campaign is over, in one of the ways above; `why` has details."""

    def __init__(self, how: str, why: str = "") -> None:
        super().__init__(how)
        self.how = how
        self.why = why


@dataclass(frozen=True)
class Budget:
    """Limits of a campaign: its requests, and its seconds if given. Shrinking is included."""

    requests: int
    seconds: float | None = None


@dataclass(frozen=True)
class Plan:
    """The plan of a campaign: layers by name, from a seed, within a budget.

    `first` ends it with the first violation. `limiter` also counts what preceded the campaign.
    `on_progress` is called before each example; `restart` restarts the server on its data; `clock`
    returns the time in seconds.
    """

    layers: tuple[str, ...]
    seed: int
    budget: Budget
    strict: bool = False
    first: bool = False
    control_token: str | None = None
    limiter: Limiter | None = None
    on_progress: Callable[["Campaign", str], None] = lambda _campaign, _layer: None
    restart: Callable[[], None] | None = None
    clock: Callable[[], float] = time.monotonic

    def is_time_up(self, started: float, share: float = 1.0) -> bool:
        """Tells whether `share` of the time is over, if it is limited."""
        seconds = self.budget.seconds
        return seconds is not None and self.clock() - started >= share * seconds


class SandboxProvider:
    """Provides sandboxes: new worlds of our stub, or the one state of another target."""

    def __init__(self, run: RunContext, hook: HookClient | None, control_token: str | None) -> None:
        self._run = run
        self._hook = hook
        self._token = control_token
        self._shared_model = initial_model(run.target)
        # Set once a request was given up, which may still arrive.
        self.gave_up = False
        # Worlds that could not be deleted, and why.
        self.leftovers: dict[str, str] = {}

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
            default_world = ControlClient(self._run.client, None, self._token)
            # A request that was given up may arrive after the first deletion and recreate it.
            for _ in range(1 + self.gave_up):
                try:
                    await default_world.delete_world(name)
                except ControlError as reason:
                    self.leftovers[name] = str(reason)


@dataclass
class Campaign:
    """A running campaign and what it has found.

    `started` is when its time began. `finished` are the layers that used their share of the budget,
    `ended` says how it ended, and `interrupts` are the signals received.
    """

    run: RunContext
    portal: BlockingPortal
    sandboxes: SandboxProvider
    plan: Plan
    interrupts: Sequence[int]
    started: float
    coverage: CampaignCoverage = field(default_factory=CampaignCoverage)
    matrix: PrecedenceMatrix = field(default_factory=PrecedenceMatrix)
    violations: list[ContractViolation] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    ended: CampaignEnded | None = None
    _requests_before: int = field(init=False)

    def __post_init__(self) -> None:
        self._requests_before = self.run.limiter.requests

    @property
    def requests(self) -> int:
        """The number of requests sent so far."""
        return self.run.limiter.requests - self._requests_before

    @property
    def seconds(self) -> float:
        """The time since the start."""
        return self.plan.clock() - self.started

    def remaining_requests(self, share: float) -> int:
        """Returns the requests left until `share` of the budget is spent; 0 if time is up."""
        if self.plan.is_time_up(self.started, share):
            return 0
        return max(0, round(share * self.plan.budget.requests) - self.requests)

    def is_spent(self) -> bool:
        """Tells whether no further request may be sent."""
        return not self.remaining_requests(1.0)

    def spend(self, share: float, layer: str) -> None:
        """Reports progress. Raises BudgetSpent if nothing of `share` is left; CampaignEnded."""
        self.check_ended()
        self.plan.on_progress(self, layer)
        if not self.remaining_requests(share):
            raise BudgetSpent(SPENT)

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
        self.check_ended()
        running = self.portal.start_task_soon(function, *args)
        while wait((running,), POLL_INTERVAL).not_done:
            is_over = bool(self.interrupts) or self.plan.is_time_up(self.started)
            if is_over and wait((running,), GRACE_PERIOD).not_done:
                # No more is sent into a world that is about to be deleted.
                running.cancel()
                self.sandboxes.gave_up = True
                self.check_ended()
                raise self.end(SPENT)
        try:
            return running.result()
        except BudgetReached:
            self.check_ended()
            raise self.end(SPENT) from None
        except LimitReached as reason:
            raise self.end(LIMITED, str(reason)) from None
        except (TargetGone, ControlError, HookError) as reason:
            self.sandboxes.gave_up = True
            raise self.end(GONE, str(reason)) from None

    def end(self, how: str, why: str = "") -> CampaignEnded:
        """Ends the campaign, if it has not ended, and returns its end."""
        self.ended = self.ended or CampaignEnded(how, why)
        return self.ended

    def check_ended(self) -> None:
        """Raises CampaignEnded if the campaign has ended, or after an interruption."""
        if self.interrupts:
            self.end(INTERRUPTED)
        if self.ended is not None:
            raise self.ended

    def add(self, violation: ContractViolation | None) -> None:
        """Adds a violation unless it was found before. Raises CampaignEnded."""
        known = {each.signature for each in self.violations}
        if violation is not None and violation.signature not in known:
            self.violations.append(violation)
            if self.plan.first:
                raise self.end(FIRST)


@contextmanager
def new_campaign(
    target: Target, statuses: StatusTable, plan: Plan, started: float | None = None
) -> Iterator[Campaign]:
    """Sets up a campaign. In this context, interruptions end it, and raise nothing.

    Its time begins now, unless it has `started` before. Raises ProfileError if certificates cannot
    be read.
    """
    with collect_interrupts() as interrupts, start_blocking_portal() as portal:

        async def open_client() -> HttpClient:
            return target.client()

        client = portal.call(open_client)
        try:
            limiter = plan.limiter or target.limiter(plan.budget.requests)
            run = RunContext(target, client, limiter, statuses, secrets.token_hex(4))
            hook_client = target.hook_client()
            hook = None if hook_client is None else HookClient(hook_client, str(target.hook))
            sandboxes = SandboxProvider(run, hook, plan.control_token)
            began = plan.clock() if started is None else started
            campaign = Campaign(run, portal, sandboxes, plan, interrupts, began)
            with limiter.within(campaign.is_spent):
                yield campaign
        finally:
            portal.call(client.close)
            # Does not wait for requests that an interruption left unfinished.
            portal.call(lambda: portal.stop(cancel_remaining=True))
