"""A campaign: layer after layer, within a budget, from one seed."""

import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
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


class Ended(BaseException):
    """The campaign is over, in one of the ways above; `why` tells more.

    No Exception, which Hypothesis would take for a fault.
    """

    def __init__(self, how: str, why: str = "") -> None:
        super().__init__(how)
        self.how = how
        self.why = why


@contextmanager
def interrupts() -> Iterator[Sequence[int]]:
    """The signals by which somebody interrupts in this context, whatever becomes of them.

    For what ends by KeyboardInterrupt for other reasons, too, or keeps it to itself.
    """
    seen: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    # Only the main thread is interrupted, and only where nobody had signals ignored.
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield seen
        return

    def interrupted(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Plan:
    """What is asked for: layers by name, from a seed, within a budget.

    `first` ends the campaign with the first fault. `heard` is told before each example; `restart`
    stops the server and starts it on its data.
    """

    names: tuple[str, ...]
    seed: int
    budget: Budget
    strict: bool = False
    first: bool = False
    control_token: str | None = None
    heard: Callable[["Campaign", str], None] = lambda _campaign, _layer: None
    restart: Callable[[], None] | None = None


@dataclass
class Campaign:
    """What a campaign is to do, and what it has found.

    `finished` are the layers that came to their end.
    """

    run: Run
    portal: BlockingPortal
    worlds: Worlds
    plan: Plan
    tally: Tally = field(default_factory=Tally)
    matrix: Matrix = field(default_factory=Matrix)
    violations: list[Violation] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has been going."""
        return time.monotonic() - self.started

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
        running = self.portal.start_task_soon(function, *args)
        try:
            return running.result()
        except LimitReached as reason:
            raise Ended(LIMITED, str(reason)) from None
        except (Gone, ControlFailed, HookFailed) as reason:
            raise Ended(GONE, str(reason)) from None
        except KeyboardInterrupt:
            # Nothing more is sent into a world that is about to be forgotten.
            running.cancel()
            raise

    def found(self, violation: Violation | None) -> None:
        """Keeps a fault, if it is one that was not found before. Raises Ended."""
        if violation is not None and violation.mark not in {each.mark for each in self.violations}:
            self.violations.append(violation)
            if self.plan.first:
                raise Ended(FIRST)
