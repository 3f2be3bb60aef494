"""A campaign: layer after layer, within a budget, from one seed."""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from anyio.from_thread import BlockingPortal

from clients_register.conformance.control import ControlFailed
from clients_register.conformance.fuzzing.examining import Examiner
from clients_register.conformance.fuzzing.exploring import Spent
from clients_register.conformance.fuzzing.ordering import Matrix
from clients_register.conformance.fuzzing.tally import Tally
from clients_register.conformance.fuzzing.violation import Gone, Violation
from clients_register.conformance.fuzzing.worlds import Place, Worlds
from clients_register.conformance.gate import LimitReached
from clients_register.conformance.hook import HookFailed
from clients_register.conformance.judging import Run


@dataclass(frozen=True)
class Budget:
    """When a campaign ends: after so many requests, and after so many seconds if any are given."""

    requests: int
    seconds: float | None = None


# How a campaign ends.
SPENT = "the budget is spent"
FIRST = "a fault is found"
LIMITED = "the profile allows no more"
GONE = "the target does not answer any more"
INTERRUPTED = "interrupted"

# How often who waits for an answer looks for an interruption, and how long the answer may take
# then, in seconds.
LOOK = 0.1
GRACE = 0.5


class Ended(KeyboardInterrupt):
    """The campaign is over, in one of the ways above; `why` tells more.

    An interruption to Hypothesis and to Schemathesis, too: anything else they would take for a
    fault, or an example that ends where it did not end before for a flaky one.
    """

    def __init__(self, how: str, why: str = "") -> None:
        super().__init__(how)
        self.how = how
        self.why = why


@dataclass(frozen=True)
class Plan:
    """What is asked for: layers by name, from a seed, within a budget.

    `first` ends the campaign with the first fault. `heard` is called before each example; `restart`
    stops the server and starts it on its data. `clock` returns the time in seconds.
    """

    names: tuple[str, ...]
    seed: int
    budget: Budget
    strict: bool = False
    first: bool = False
    control_token: str | None = None
    heard: Callable[["Campaign", str], None] = lambda _campaign, _layer: None
    restart: Callable[[], None] | None = None
    clock: Callable[[], float] = time.monotonic


@dataclass
class Campaign:
    """What a campaign is to do, and what it has found.

    `finished` are the layers that came to their end, `interrupts` the signals that ask for an end.
    """

    run: Run
    portal: BlockingPortal
    worlds: Worlds
    plan: Plan
    interrupts: Sequence[int]
    tally: Tally = field(default_factory=Tally)
    matrix: Matrix = field(default_factory=Matrix)
    violations: list[Violation] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.plan.clock()

    @property
    def seconds(self) -> float:
        """How long it has been going."""
        return self.plan.clock() - self.started

    def left(self, share: float) -> int:
        """How many requests there are until `share` of the budget is spent; 0 where time is up."""
        if (
            self.plan.budget.seconds is not None
            and self.seconds >= share * self.plan.budget.seconds
        ):
            return 0
        return max(0, round(share * self.plan.budget.requests) - self.run.gate.requests)

    def spend(self, share: float, layer: str) -> None:
        """Raises Spent where nothing of `share` is left; tells who watches."""
        self.plan.heard(self, layer)
        if not self.left(share):
            raise Spent

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A world for a while."""
        with self.portal.wrap_async_context_manager(self.worlds.one()) as place:
            yield place

    def examiner(self, place: Place) -> Examiner:
        """Who judges what happens at `place`; what was found before is passed over."""
        known = frozenset(each.mark for each in self.violations)
        return Examiner(self.run, place, self.tally, strict=self.plan.strict, known=known)

    def call(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """What an asynchronous function returns. Raises Ended where there can be no more."""
        self.heed()
        running = self.portal.start_task_soon(function, *args)
        while wait((running,), LOOK).not_done:
            if self.interrupts and wait((running,), GRACE).not_done:
                # Nothing more is sent into a world that is about to be forgotten.
                running.cancel()
                self.worlds.given_up = True
                self.heed()
        try:
            return running.result()
        except LimitReached as reason:
            raise Ended(LIMITED, str(reason)) from None
        except (Gone, ControlFailed, HookFailed) as reason:
            self.worlds.given_up = True
            raise Ended(GONE, str(reason)) from None

    def heed(self) -> None:
        """Raises Ended where somebody has interrupted."""
        if self.interrupts:
            raise Ended(INTERRUPTED)

    def found(self, violation: Violation | None) -> None:
        """Keeps a fault, if it is one that was not found before. Raises Ended."""
        if violation is not None and violation.mark not in {each.mark for each in self.violations}:
            self.violations.append(violation)
            if self.plan.first:
                raise Ended(FIRST)
