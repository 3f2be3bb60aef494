"""Rounds of Hypothesis: each from its own seed, each ending with at most one fault, shrunk."""

import math
import zlib
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import Flaky
from hypothesis.internal.conjecture import engine
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from hypothesis.strategies import SearchStrategy

from clients_register.conformance.fuzzing.violation import Violation

# Examples of a round. More would cost memory and bring the same again; a new seed brings others.
EXAMPLES = 300

# Examples that go into shrinking a fault.
SHRINKING = 300

# Requests in a row of one sequence.
STEPS = 25


class Spent(KeyboardInterrupt):
    """The budget is spent. An interruption to Hypothesis, which would take others for faults."""


def setup(examples: int = EXAMPLES) -> settings:
    """How a round is run. There is no database: what was found is kept as cases, see `corpus`."""
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
        report_multiple_bugs=False,
    )


def numbered(campaign_seed: int, layer: str, number: int) -> int:
    """The seed of one round: it does not depend on what other rounds did."""
    return zlib.crc32(f"{campaign_seed}/{layer}/{number}".encode())


def explore(
    strategy: SearchStrategy[Any],
    probe: Callable[[Any], None],
    number: int,
    spend: Callable[[], None],
) -> Violation | None:
    """Probes what is drawn from `strategy` by the seed `number`; the fault found, made small.

    `probe` raises Violation for a fault. `spend` is called before each example until there is one,
    and raises Spent, which is passed on, to end the round.
    """
    smallest = _Smallest(spend)

    @seed(number)
    @setup()
    @given(strategy)
    def examples(drawn: Any) -> None:
        smallest.begin()
        with smallest:
            probe(drawn)

    return smallest.of(examples)


def explore_machine(
    machine: Callable[[], RuleBasedStateMachine], number: int, spend: Callable[[], None]
) -> Violation | None:
    """As `explore`, for a machine whose rules raise Violation, inside of its `watch`."""
    smallest = _Smallest(spend)

    def watched() -> Any:
        smallest.begin()
        made: Any = machine()
        made.watch = smallest
        return made

    # A factory does where a class is asked for; the attribute is what @seed sets.
    factory: Any = watched
    factory._hypothesis_internal_use_seed = number
    return smallest.of(lambda: run_state_machine_as_test(factory, settings=setup(EXAMPLES // 10)))


class _Smallest:
    """Keeps the smallest fault of a round, and ends the round when enough went into shrinking."""

    def __init__(self, spend: Callable[[], None]) -> None:
        self._spend = spend
        self._found: Violation | None = None
        self._tried = 0

    def begin(self) -> None:
        """Another example: raises Spent where there is to be none."""
        if self._found is None:
            self._spend()
        elif self._tried >= SHRINKING:
            raise Spent
        self._tried += self._found is not None

    def __enter__(self) -> None:
        """Looks at what is raised from here on."""

    def __exit__(self, kind: object, raised: BaseException | None, _trace: object) -> None:
        if isinstance(raised, Violation) and (
            self._found is None or raised.size <= self._found.size
        ):
            self._found = raised

    def of(self, run: Callable[[], object]) -> Violation | None:
        """What the round `run` found."""
        try:
            # Hypothesis stops shrinking after five minutes and has no setting for that. The same
            # seed makes the same campaign on a slow machine, too. Where a release of Hypothesis has
            # no such limit, this changes nothing.
            with patch.object(engine, "MAX_SHRINKING_SECONDS", math.inf, create=True):
                run()
        except (Violation, Flaky, Spent):
            if self._found is None:
                raise
        return self._found
