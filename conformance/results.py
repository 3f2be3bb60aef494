"""Results: findings, and the verdict of a case."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from clients_register.conformance.case import Case
from clients_register.conformance.exchange import Exchange
from clients_register.conformance.grades import Basis, Grade
from clients_register.conformance.target import Target


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


def rank(verdict: Verdict) -> int:
    """Returns the position of a verdict, from best to worst."""
    return _SEVERITY[verdict]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Returns the worst of `verdicts`; `pass` if there are none."""
    return max(verdicts, key=rank, default=Verdict.PASS)


def failing_verdicts(*, strict: bool) -> frozenset[Verdict]:
    """Returns the verdicts that fail a run; `strict` adds those of weaker evidence."""
    always = {Verdict.FAIL, Verdict.UNEXPECTED_PASS}
    return frozenset(always | {Verdict.WARN, Verdict.NOTE} if strict else always)


@dataclass(frozen=True)
class Finding:
    """One expectation compared with what was received.

    `exchange` is the position of the exchange in question, unless it is the judged one.
    `source` is the evidence: the key of a requirement or question, or another rule. Without it, the
    requirements and questions of the case apply. `root` identifies the root cause by which findings
    are grouped into violations; without it, `expected` does. `every_response` tells whether the
    expectation applies to all responses instead of belonging to the case.
    """

    verdict: Verdict
    grade: Grade
    what: str
    expected: str
    received: str
    exchange: int | None = None
    source: str | None = None
    root: str | None = None
    every_response: bool = False

    @classmethod
    def of(  # noqa: PLR0913 - the fields of a finding
        cls,
        what: str,
        basis: Grade | Basis,
        expected: str,
        received: str,
        *,
        met: bool,
        root: str | None = None,
    ) -> "Finding":
        """Makes a finding: a pass if the expectation is `met`, else a miss of its grade."""
        if isinstance(basis, Grade):
            basis = Basis(basis)
        verdict = Verdict.PASS if met else MISSED[basis.grade]
        return cls(verdict, basis.grade, what, expected, received, source=basis.source, root=root)

    @property
    def missed(self) -> bool:
        """Whether the expectation was not met."""
        return self.verdict in MISSED.values()

    @property
    def apart(self) -> bool:
        """Whether it counts for the run, but not for the verdict of its case.

        What every response lacks would otherwise hide how the cases differ.
        """
        return self.every_response and self.verdict is not Verdict.FAIL


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


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Returns the verdict of a case with these findings."""
    # An effect that could not be observed does not affect the verdict of the others.
    judged = [each.verdict for each in findings if not each.apart]
    observed = [each for each in judged if each is not Verdict.OBSERVED]
    return Verdict.OBSERVED if judged and not observed else worst(observed)


def fails_run(result: Result, *, strict: bool) -> bool:
    """Tells whether a result fails a run that is otherwise complete."""
    failing = failing_verdicts(strict=strict)
    apart = (each.verdict for each in result.findings if each.apart)
    return not failing.isdisjoint((result.verdict, *apart))


def apply_profile(result: Result, target: Target) -> None:
    """Applies the answers to open questions and the known failures of a profile to a result."""
    for position, finding in enumerate(result.findings):
        if finding.apart and finding.source in target.answers:
            result.findings[position] = replace(finding, verdict=Verdict.OBSERVED)
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


def pluralize(count: int, noun: str) -> str:
    """Returns a number with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
