"""Results: findings, the verdict of a case, and the exit code of a run."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from fnmatch import fnmatchcase

from clients_register.conformance.case import Case
from clients_register.conformance.exchange import Exchange
from clients_register.conformance.grades import Grade
from clients_register.conformance.target import Target

# With fewer documented cases, a run proves nothing, whatever their share.
MIN_CASES = 20


class Verdict(StrEnum):
    """The outcome of a case, from best to worst."""

    PASS = "pass"  # noqa: S105 - no password
    OBSERVED = "observed"
    EXPECTED_FAILURE = "expected-failure"
    NOT_CLAIMED = "not-claimed"
    NOT_ARRANGED = "not-arranged"
    NOTE = "note"
    WARN = "warn"
    FAIL = "fail"
    UNEXPECTED_PASS = "unexpected-pass"  # noqa: S105 - no password
    ERROR = "error"


class ExitCode(IntEnum):
    """The exit codes of the suite. Only SUCCESS says that the target conforms."""

    SUCCESS = 0
    VIOLATION = 1
    USAGE = 2
    UNREACHABLE = 3
    DEFECT = 4
    INCONCLUSIVE = 5


# The verdict of an expectation that is not met, by its grade.
MISSED = {
    Grade.DOCUMENTED: Verdict.FAIL,
    Grade.FAMILY: Verdict.WARN,
    Grade.DECIDED: Verdict.NOTE,
}

# The verdicts of cases that judged a response.
JUDGED = frozenset(
    {
        Verdict.PASS,
        Verdict.OBSERVED,
        Verdict.EXPECTED_FAILURE,
        Verdict.NOTE,
        Verdict.WARN,
        Verdict.FAIL,
        Verdict.UNEXPECTED_PASS,
    }
)

_SEVERITY = {verdict: position for position, verdict in enumerate(Verdict)}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Returns the worst of `verdicts`; `pass` if there are none."""
    return max(verdicts, key=_SEVERITY.__getitem__, default=Verdict.PASS)


def failing_verdicts(*, strict: bool) -> frozenset[Verdict]:
    """Returns the verdicts that fail a run; `strict` adds those of weaker evidence."""
    always = {Verdict.FAIL, Verdict.UNEXPECTED_PASS}
    return frozenset(always | {Verdict.WARN, Verdict.NOTE} if strict else always)


@dataclass(frozen=True)
class Finding:
    """One expectation compared with what was received.

    `exchange` is the position of the exchange that it is about, if that is not the judged one.
    """

    verdict: Verdict
    grade: Grade
    what: str
    expected: str
    received: str
    exchange: int | None = None

    @classmethod
    def of(cls, what: str, grade: Grade, expected: str, received: str, *, met: bool) -> "Finding":
        """Makes a finding: a pass if the expectation is `met`, else a miss of its grade."""
        return cls(Verdict.PASS if met else MISSED[grade], grade, what, expected, received)


@dataclass
class Result:
    """The result of one case.

    `missing_state` is the state that the target could not reach, and `missing_value` the value of
    the profile that is not known, if that is why the case was not judged. `rerun` is the command
    that repeats it, if it is not the usual one. `emails` and `secrets` are those that were
    generated for the case.
    """

    case: Case
    verdict: Verdict = Verdict.PASS
    reason: str | None = None
    missing_state: str | None = None
    missing_value: str | None = None
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    rerun: tuple[str, ...] = ()


def apply_profile(result: Result, target: Target) -> None:
    """Applies the answers to open questions and the known failures of a profile to a result."""
    answers = [target.answers[key] for key in result.case.questions if key in target.answers]
    if answers and result.verdict in (Verdict.NOTE, Verdict.WARN):
        result.verdict = Verdict.OBSERVED
        result.reason = f"an open question with another answer in the profile: {answers[0]}"
    for known in target.known_failures:
        if not fnmatchcase(result.case.id, known.cases):
            continue
        since = f"{known.reason} (since {known.since})"
        if result.verdict is Verdict.FAIL:
            result.verdict, result.reason = Verdict.EXPECTED_FAILURE, since
        elif result.verdict is Verdict.PASS:
            result.verdict = Verdict.UNEXPECTED_PASS
            result.reason = f"passes but is known to fail: {since}; remove it from the profile"


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


def pluralize(count: int, noun: str) -> str:
    """Returns a number with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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
    failing = failing_verdicts(strict=strict)
    bad = [verdict for verdict in Verdict if counts[verdict] and verdict in failing]
    listed = ", ".join(f"{counts[verdict]} {verdict}" for verdict in bad)
    violation = f"the target violates the contract: {listed}" if bad else None
    if counts[Verdict.ERROR]:
        unjudged = (
            f"{pluralize(counts[Verdict.ERROR], 'case')} could not be judged: the target, a proxy"
            " in front of it or the suite is defective"
        )
        return ExitCode.DEFECT, f"{violation}; and {unjudged}" if violation else unjudged
    if violation is not None:
        return ExitCode.VIOLATION, violation
    judged = sum(counts[verdict] for verdict in JUDGED)
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
