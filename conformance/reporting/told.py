"""What several forms of a report tell in the same way."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clients_register.conformance.verdicts import Verdict, violations

# Verdicts whose cases are told one by one; of the others a count is enough.
TOLD = (Verdict.ERROR, Verdict.UNEXPECTED_PASS, Verdict.FAIL, Verdict.WARN, Verdict.NOTE)


def told_cases(report: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The cases to look at, the worst first."""
    for verdict in TOLD:
        yield from (case for case in report["cases"] if case["verdict"] == verdict)


def misses(case: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The findings of a case that were not kept."""
    fine = (Verdict.PASS, Verdict.OBSERVED)
    return (each for each in case["findings"] if each["verdict"] not in fine)


def judged(case: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The exchange that a case judges, if it came so far."""
    exchange: Mapping[str, Any] | None = case["exchanges"][-1] if case["exchanges"] else None
    return exchange


def statement(report: Mapping[str, Any], key: str) -> str:
    """What a requirement says, and where."""
    for each in report["requirements"]:
        if each["key"] == key:
            return f"{key} ({each['section']}): {each['statement']}"
    return key


def counts(report: Mapping[str, Any]) -> str:
    """How many cases came to which verdict, as a phrase."""
    present = (f"{count} {verdict}" for verdict, count in report["summary"].items() if count)
    return ", ".join(present) or "no case"


def is_bad(report: Mapping[str, Any], verdict: str) -> bool:
    """Whether a verdict fails this run."""
    return verdict in violations(strict=report["strict"])


def cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """A report, or a part of it, with `clean` done to every text."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {key: cleaned(each, clean) for key, each in value.items()}
    return [cleaned(each, clean) for each in value] if isinstance(value, list) else value
