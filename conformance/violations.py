"""Violations: the missed expectations of a run, one for each root cause."""

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

# What a finding is about if another response came than expected, or none. Everything else that the
# case expects of that response, or sends later, is then missed as a consequence.
OTHER_RESPONSE = frozenset({"status", "response", "answer"})

# What a violation is about if it is one of a case as a whole.
CASE = "case"

# Verdicts of cases whose own findings count; the profile, or what is missing, explains the others.
_COUNTED = frozenset({*MISSED.values(), Verdict.PASS})


@dataclass(frozen=True)
class Violation:
    """One root cause: findings that are alike, each with its result; `first` stands for all.

    `source` is what most of them rest on: the key of a requirement or question, or another rule.
    """

    findings: Sequence[tuple[Result, Finding]]
    source: str | None

    @property
    def first(self) -> Finding:
        """The finding of the first case."""
        return self.findings[0][1]

    @property
    def results(self) -> list[Result]:
        """The results that have it, each once."""
        return [*{id(result): result for result, _ in self.findings}.values()]


def find_violations(results: Iterable[Result]) -> list[Violation]:
    """Groups the missed expectations of `results` by root cause.

    The worst come first, and of those equally bad the ones that the most cases have.
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
    """Yields the missed findings of a result, without those that follow from another one."""
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
            cut = cut or each.what in OTHER_RESPONSE


def _finding_of_case(result: Result, expected: str) -> Finding:
    received = result.reason or str(result.verdict)
    return Finding(result.verdict, Grade.DOCUMENTED, CASE, expected, received, root=received)


def _choose_source(group: Sequence[tuple[Result, Finding]]) -> str | None:
    """Returns what most findings of a group rest on."""
    sources = Counter(
        source
        for result, finding in group
        for source in (
            [finding.source] if finding.source else result.case.requires or result.case.questions
        )
    )
    return sources.most_common(1)[0][0] if sources else None
