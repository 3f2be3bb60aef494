"""The exit code of a run, and the sentence that explains it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from clients_register.conformance.results import (
    JUDGED,
    Result,
    Verdict,
    failing_verdicts,
    pluralize,
)
from clients_register.conformance.target import Target
from clients_register.conformance.violations import find_violations, violated_requirements

# With fewer documented cases, a run proves nothing, whatever their share.
MIN_CASES = 20


class ExitCode(IntEnum):
    """The exit codes of the suite. Only SUCCESS says that the target conforms."""

    SUCCESS = 0
    VIOLATION = 1
    USAGE = 2
    UNREACHABLE = 3
    DEFECT = 4
    INCONCLUSIVE = 5


@dataclass(frozen=True)
class Evidence:
    """How many of the documented cases that a target claims were judged (`run`).

    `complete`: all cases were selected.
    """

    documented: int
    run: int
    minimum: float
    complete: bool
    interrupted: bool = False

    @property
    def share(self) -> float:
        """The judged part, from 0 to 1."""
        return self.run / self.documented if self.documented else 0.0

    @property
    def enough(self) -> bool:
        """True if a pass means anything. For hand-picked cases, any number is enough."""
        if self.interrupted:
            return False
        if not self.complete:
            return self.run > 0 or self.documented == 0
        return self.share >= self.minimum and self.run >= MIN_CASES


def collect_evidence(
    results: Sequence[Result], target: Target, *, complete: bool, interrupted: bool = False
) -> Evidence:
    """Counts the documented cases. `complete`: all cases were selected."""
    claimed = [
        each for each in results if each.case.documented and each.verdict is not Verdict.NOT_CLAIMED
    ]
    judged = sum(each.verdict in JUDGED for each in claimed)
    return Evidence(len(claimed), judged, target.minimum_evidence, complete, interrupted)


def decide(results: Sequence[Result], evidence: Evidence, *, strict: bool) -> tuple[ExitCode, str]:
    """Returns the exit code of a run, and a sentence that explains it."""
    counts = Counter(each.verdict for each in results)
    judged = sum(counts[verdict] for verdict in JUDGED)
    violation = _describe_violations(results, judged, strict=strict)
    if counts[Verdict.ERROR]:
        unjudged = (
            f"{pluralize(counts[Verdict.ERROR], 'case')} could not be judged: the target, a proxy"
            " in front of it or the suite is defective"
        )
        return ExitCode.DEFECT, f"{violation}; and {unjudged}" if violation else unjudged
    if violation is not None:
        return ExitCode.VIOLATION, violation
    if evidence.interrupted:
        return ExitCode.INCONCLUSIVE, (
            f"interrupted after {pluralize(judged, 'case')}, in which nothing wrong was found"
        )
    unfinished = _describe_unfinished(results)
    if not judged:
        return ExitCode.INCONCLUSIVE, f"no case was run, so nothing is known{unfinished}"
    if not evidence.enough:
        return ExitCode.INCONCLUSIVE, (
            f"too few cases were run: {evidence.run} of {evidence.documented} documented cases"
            f" ({evidence.share:.0%}); at least {evidence.minimum:.0%} and {MIN_CASES} are needed"
            f"{unfinished}"
        )
    all_of = "all " if judged > 1 else ""
    return (
        ExitCode.SUCCESS,
        f"the target conforms to the contract in {all_of}{pluralize(judged, 'case')}{unfinished}",
    )


def _describe_violations(results: Sequence[Result], judged: int, *, strict: bool) -> str | None:
    """Tells what is violated, how often and in how many of the `judged` cases; None if nothing."""
    failing = failing_verdicts(strict=strict)
    violations = [each for each in find_violations(results) if each.first.verdict in failing]
    if not violations:
        return None
    cases = {result.case.id for each in violations for result in each.results}
    keys = violated_requirements(results, strict=strict)
    return (
        f"the target violates {pluralize(len(keys), 'requirement') if keys else 'the contract'}:"
        f" {pluralize(len(violations), 'violation')} in {len(cases)} of {pluralize(judged, 'case')}"
    )


def _describe_unfinished(results: Iterable[Result]) -> str:
    """Tells how many cases were not finished, unless a state or value is missing, and why."""
    reasons = Counter(
        each.reason
        for each in results
        if each.verdict is Verdict.NOT_ARRANGED
        and each.missing_state is None
        and each.missing_value is None
    )
    return "".join(
        f"; {pluralize(count, 'case')} {'was' if count == 1 else 'were'} not finished: {reason}"
        for reason, count in reasons.most_common()
    )
