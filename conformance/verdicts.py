"""What an expectation, a case and a whole run come to, from the grade of the evidence behind it."""

from collections.abc import Iterable
from enum import IntEnum, StrEnum


class Grade(StrEnum):
    """Why an expectation is believed, the strongest evidence first."""

    DOCUMENTED = "documented"
    FAMILY = "family"
    DECIDED = "decided"


class Verdict(StrEnum):
    """What became of a case, from best to worst."""

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


class Exit(IntEnum):
    """The exit codes of the suite. Only GOOD says that the target was seen to be right."""

    GOOD = 0
    VIOLATION = 1
    USAGE = 2
    UNREACHABLE = 3
    DEFECT = 4
    TOO_LITTLE = 5


# What a miss comes to, by the grade of the expectation that was missed.
MISSED = {
    Grade.DOCUMENTED: Verdict.FAIL,
    Grade.FAMILY: Verdict.WARN,
    Grade.DECIDED: Verdict.NOTE,
}

# Verdicts of cases that judged an answer of the target.
RAN = frozenset(
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

_ORDER = {verdict: place for place, verdict in enumerate(Verdict)}
_STRENGTH = {grade: place for place, grade in enumerate(Grade)}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of `verdicts`; `pass` where there are none."""
    return max(verdicts, key=_ORDER.__getitem__, default=Verdict.PASS)


def weaker(one: Grade, other: Grade) -> Grade:
    """The weaker of two grades: what rests on both is as strong as that."""
    return max(one, other, key=_STRENGTH.__getitem__)


def strongest(grades: Iterable[Grade]) -> Grade:
    """The strongest of `grades`: what any of them shows is as sure as the best of them."""
    return min(grades, key=_STRENGTH.__getitem__)


def violations(*, strict: bool) -> frozenset[Verdict]:
    """The verdicts that fail a run; `strict` counts what the contract only suggests."""
    always = {Verdict.FAIL, Verdict.UNEXPECTED_PASS}
    return frozenset(always | {Verdict.WARN, Verdict.NOTE} if strict else always)
