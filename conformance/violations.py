"""Violations: the missed expectations of a run, grouped by root cause."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clients_register.conformance.grades import Grade
from clients_register.conformance.results import (
    MISSED,
    Finding,
    Result,
    Verdict,
    failing_verdicts,
    rank,
)

# The `what` of a finding that reports an unexpected response, or a missing one. The other
# expectations of that response, and of later ones of the case, are then missed as a consequence.
_OTHER_RESPONSE = frozenset({"status", "response", "answer"})

# The `what` of a finding about a case as a whole.
_CASE = "case"

# Verdicts of cases whose own findings count. The findings of other cases are explained by the
# profile or by a missing state or value.
_COUNTED = frozenset({*MISSED.values(), Verdict.PASS})


@dataclass(frozen=True)
class Violation:
    """Findings with the same root cause, each with its result; `first` is the example.

    `source` is the evidence for them: the key of a requirement or question, or another rule.
    """

    findings: Sequence[tuple[Result, Finding]]
    source: str | None

    @property
    def first(self) -> Finding:
        """The finding of the first case."""
        return self.findings[0][1]

    @property
    def results(self) -> list[Result]:
        """The results that these findings belong to, without duplicates."""
        return [*{id(result): result for result, _ in self.findings}.values()]


def find_violations(results: Iterable[Result]) -> list[Violation]:
    """Groups the missed expectations of `results` by root cause.

    The violations are sorted by severity, then by number of cases, highest first.
    """
    groups = defaultdict[tuple[object, ...], list[tuple[Result, Finding]]](list)
    for result in results:
        for each in _root_findings(result):
            root = each.expected if each.root is None else each.root
            groups[each.verdict, each.what, root, each.every_response].append((result, each))
    violations = [Violation(group, _choose_source(group)) for group in groups.values()]
    return sorted(violations, key=lambda each: (-rank(each.first.verdict), -len(each.results)))


def violated_requirements(results: Iterable[Result], *, strict: bool) -> set[str]:
    """Returns the keys of the requirements of failing cases."""
    failing = failing_verdicts(strict=strict)
    return {key for result in results if result.verdict in failing for key in result.case.requires}


def _root_findings(result: Result) -> Iterator[Finding]:
    """Yields the missed findings of a result, except the consequences of an earlier finding."""
    if result.verdict is Verdict.ERROR:
        yield _finding_of_case(result, "one that can be judged")
    elif result.verdict is Verdict.UNEXPECTED_PASS:
        yield _finding_of_case(result, "a failure, which the profile says is known")
    cut = False
    for each in result.findings:
        if not each.missed:
            continue
        if each.apart:
            yield each
        elif result.verdict in _COUNTED and (each.every_response or not cut):
            yield each
            cut = cut or each.what in _OTHER_RESPONSE


def _finding_of_case(result: Result, expected: str) -> Finding:
    received = result.reason or str(result.verdict)
    return Finding(result.verdict, Grade.DOCUMENTED, _CASE, expected, received, root=received)


def _choose_source(group: Sequence[tuple[Result, Finding]]) -> str | None:
    """Returns the most common evidence for the findings of a group.

    The source of a `fail` is documented, so it is an open question only if the group has no other
    evidence.
    """
    sources, questions = Counter[str](), Counter[str]()
    fallback = questions if group[0][1].verdict is Verdict.FAIL else sources
    for result, finding in group:
        if finding.source is not None:
            sources[finding.source] += 1
        elif result.case.requires:
            sources.update(result.case.requires)
        else:
            fallback.update(result.case.questions)
    most_common = (sources or questions).most_common(1)
    return most_common[0][0] if most_common else None
