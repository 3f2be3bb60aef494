"""Runs of Hypothesis: each has its own seed, and ends with at most one violation, shrunk."""

import math
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from hypothesis.strategies import SearchStrategy

from clients_register.conformance.fuzz.checker import ContractViolation

# Examples per run. More would only cost memory; a new seed explores further.
MAX_EXAMPLES = 300

# Examples for shrinking a violation.
MAX_SHRINKING = 300

# Requests in one sequence.
MAX_STEPS = 25


class SearchEnded(KeyboardInterrupt):
    """A search ends before Hypothesis has finished it; the message says why.

    Hypothesis and Schemathesis pass interruptions on. Anything else they would take for a fault,
    or for a flaky example.
    """


class BudgetSpent(SearchEnded):
    """The budget of a search is spent."""


def run_settings(examples: int = MAX_EXAMPLES) -> settings:
    """Returns the settings of a run. There is no database, because the corpus keeps violations."""
    return settings(
        max_examples=examples,
        stateful_step_count=MAX_STEPS,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
        report_multiple_bugs=False,
    )


def run_seed(campaign_seed: int, layer: str, number: int) -> int:
    """Returns the seed of one run, which does not depend on other runs."""
    return zlib.crc32(f"{campaign_seed}/{layer}/{number}".encode())


def search(
    strategy: SearchStrategy[Any],
    probe: Callable[[Any], None],
    number: int,
    spend: Callable[[], None],
) -> ContractViolation | None:
    """Calls `probe` with examples of `strategy` from the seed `number`; returns a violation.

    `probe` raises ContractViolation. `spend` is called before each example until there is one; it
    raises SearchEnded to end the run. SearchEnded is passed on, unless a violation was found: that
    is returned, with the reason in its `unshrunk`.
    """
    smallest = SmallestViolation(spend)

    @seed(number)
    @run_settings()
    @given(strategy)
    def examples(drawn: Any) -> None:
        smallest.start_example()
        with smallest:
            probe(drawn)

    return smallest.run(examples)


def search_machine(
    machine: Callable[[], RuleBasedStateMachine], number: int, spend: Callable[[], None]
) -> ContractViolation | None:
    """Like `search`, for a machine whose rules raise ContractViolation inside its `watch`."""
    smallest = SmallestViolation(spend)

    def new_machine() -> Any:
        smallest.start_example()
        created: Any = machine()
        created.watch = smallest
        return created

    # Hypothesis accepts a factory instead of a class.
    factory: Any = seed(number)(new_machine)
    chosen = run_settings(MAX_EXAMPLES // 10)
    return smallest.run(lambda: run_state_machine_as_test(factory, settings=chosen))


class SmallestViolation:
    """Keeps the smallest violation of a run, and ends the run after enough shrinking.

    As a context manager, it records a violation that is raised inside.
    """

    def __init__(self, spend: Callable[[], None]) -> None:
        self._spend = spend
        self._found: ContractViolation | None = None
        self._shrinking = 0

    def start_example(self) -> None:
        """Counts an example. Raises BudgetSpent if there should be no more."""
        if self._found is None:
            self._spend()
        elif self._shrinking >= MAX_SHRINKING:
            raise BudgetSpent(f"{MAX_SHRINKING} examples were tried")
        self._shrinking += self._found is not None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, raised: BaseException | None, _trace: object) -> None:
        if isinstance(raised, ContractViolation) and (
            self._found is None or raised.size <= self._found.size
        ):
            self._found = raised

    def run(self, hypothesis: Callable[[], object]) -> ContractViolation | None:
        """Runs Hypothesis and returns the smallest violation."""
        try:
            with _unlimited_time():
                hypothesis()
        except (ContractViolation, Flaky):
            if self._found is None:
                raise
        except SearchEnded as end:
            if self._found is None:
                raise
            self._found.unshrunk = str(end)
        return self._found


def _unlimited_time() -> AbstractContextManager[object]:
    """Lets Hypothesis shrink for more than five minutes, which it has no setting for.

    A seed then gives the same campaign on a slow machine; MAX_SHRINKING limits it nevertheless. The
    limit stays as it is in releases of Hypothesis that have it elsewhere.
    """
    try:
        from hypothesis.internal.conjecture import engine
    except ImportError:
        return nullcontext()
    return patch.object(engine, "MAX_SHRINKING_SECONDS", math.inf, create=True)
