"""What came of one expectation, and what a case keeps of each of its exchanges."""

from dataclasses import dataclass, field
from typing import Any

from clients_register.conformance.model import Case
from clients_register.conformance.verdicts import MISSED, Grade, Verdict
from clients_register.conformance.wire import Answer, NoAnswer, Request


@dataclass(frozen=True)
class Finding:
    """One expectation, held against what was received."""

    verdict: Verdict
    grade: Grade
    what: str
    expected: str
    received: str


@dataclass
class Exchange:
    """One request and its answer. `shown` is the request as a report may show it.

    `raw` are the bytes that were sent where they were to be no request.
    """

    role: str
    shown: Request
    decoded: Any
    answer: Answer | None = None
    envelope: Any = None
    failure: NoAnswer | None = None
    raw: bytes | None = None


@dataclass
class Result:
    """What came of one case. `rerun` is the command that runs it again, where that is another."""

    case: Case
    verdict: Verdict = Verdict.PASS
    reason: str | None = None
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    rerun: tuple[str, ...] = ()


def judged(what: str, grade: Grade, expected: str, received: str, *, right: bool) -> Finding:
    """A finding that is a pass if `right`, else what a miss of that grade comes to."""
    return Finding(Verdict.PASS if right else MISSED[grade], grade, what, expected, received)
