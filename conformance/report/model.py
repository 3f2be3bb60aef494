"""The report as a JSON document: loading it, and the parts that several formats show."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from clients_register.conformance.escaping import escape
from clients_register.conformance.response import MAX_DEPTH, cut_text
from clients_register.conformance.results import Verdict, failing_verdicts, pluralize
from clients_register.spec.schema_errors import explain

Report = Mapping[str, Any]

# Verdicts whose cases are listed in full, worst first; the others are only counted.
LISTED = (Verdict.ERROR, Verdict.UNEXPECTED_PASS, Verdict.FAIL, Verdict.WARN, Verdict.NOTE)

# Characters of a value that the description of a violation shows.
MAX_VALUE = 120

# Levels of nesting in a report: those of a response, and those around it.
MAX_REPORT_DEPTH = MAX_DEPTH + 10


_SENTENCE_END = re.compile(r"(?<=[.;]) (?=[A-Z])")


class ReportError(ValueError):
    """A file is not a report of this suite; the message says where it is wrong."""


def load_report(path: Path) -> Report:
    """Loads the report in the file at `path`. Raises ReportError."""
    try:
        report: Report = json.loads(path.read_text("utf-8"))
    except OSError as unreadable:
        raise ReportError(f"{path}: cannot be read: {unreadable.strerror or unreadable}") from None
    except (ValueError, RecursionError) as invalid:
        raise ReportError(f"{path}: expected a report in JSON: {invalid}") from None
    if _is_deeper_than(report, MAX_REPORT_DEPTH):
        raise ReportError(
            f"{path}: expected a report of `clients-register verify`, found one with more than"
            f" {MAX_REPORT_DEPTH} levels"
        )
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    schema = json.loads((files(__package__) / "report.schema.json").read_text("utf-8"))
    error = best_match(Draft202012Validator(schema).iter_errors(report))
    if error is not None:
        raise ReportError(
            f"{path}: expected a report of `clients-register verify`; {explain(error)}"
        )
    return report


def render_json(report: Report) -> str:
    """Renders the report as JSON."""
    return escape(json.dumps(report, ensure_ascii=False, indent=1), multiline=True) + "\n"


def listed_cases(report: Report) -> Iterator[Mapping[str, Any]]:
    """Yields the cases that need attention, worst first."""
    for verdict in LISTED:
        yield from (case for case in report["cases"] if case["verdict"] == verdict)


def missed_findings(case: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields the findings of a case whose expectation was not met."""
    fine = (Verdict.PASS, Verdict.OBSERVED)
    return (each for each in case["findings"] if each["verdict"] not in fine)


def judged_exchange(case: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Returns the exchange that a case judges, if it got that far."""
    exchange: Mapping[str, Any] | None = case["exchanges"][-1] if case["exchanges"] else None
    return exchange


def worst_finding(case: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Returns the missed finding that the verdict of a case is due to, or the worst there is."""
    missed = [each for each in missed_findings(case) if each["verdict"] == case["verdict"]]
    return next(iter(missed or missed_findings(case)), None)


def describe_finding(finding: Mapping[str, Any]) -> str:
    """Returns a missed finding as a phrase."""
    return f"{finding['what']}: expected {finding['expected']}, received {finding['received']}"


def describe_violation(violation: Mapping[str, Any]) -> str:
    """Returns what was expected and received, in the most cases first, as a phrase."""
    expected, received = (
        _describe_values(violation[name], violation["findings"])
        for name in ("expected", "received")
    )
    return f"{violation['what']}: expected {expected}, received {received}"


def _describe_values(values: Sequence[Mapping[str, Any]], findings: int) -> str:
    if len(values) == 1 and values[0]["findings"] == findings:
        return cut_text(values[0]["value"], MAX_VALUE)
    listed = [f"{cut_text(each['value'], MAX_VALUE)} ({each['findings']})" for each in values]
    rest = findings - sum(each["findings"] for each in values)
    return ", ".join([*listed, *([f"others ({rest})"] if rest else [])])


def describe_examples(violation: Mapping[str, Any]) -> str:
    """Returns how many cases have a violation, and some of them."""
    examples, requirements = violation["examples"], len(violation["requirements"])
    rest = violation["cases"] - len(examples)
    more = f" and {rest:,} more" if rest else ""
    about = f" of {requirements} requirements" if requirements > 1 else ""
    return f"{pluralize(violation['cases'], 'case')}{about}: {', '.join(examples)}{more}"


def describe_source(report: Report, source: str) -> str:
    """Returns what a finding rests on.

    A requirement has its section and sentence of the page, and a question the first sentence of the
    suite's answer.
    """
    for each in report["requirements"]:
        if each["key"] == source:
            return f"{source} ({each['section']}): {each['statement']}"
    for each in report["questions"]:
        if each["key"] == source:
            return f"{source} (open question): {_SENTENCE_END.split(each['choice'])[0]}"
    return source


def describe_missing(report: Report) -> Iterator[str]:
    """Yields a line for each state and each value for lack of which cases were not run."""
    for each in report["missing_states"]:
        yield f"not arranged: {each['state']} ({pluralize(each['cases'], 'case')})"
    for each in report.get("missing_values", ()):
        cases = pluralize(each["cases"], "case")
        yield f"not known: {each['value']} ({cases}); a profile can name one"


def format_counts(report: Report) -> str:
    """Returns how many cases have which verdict, as a phrase."""
    present = (f"{count} {verdict}" for verdict, count in report["summary"].items() if count)
    return ", ".join(present) or "no case"


def is_failing(report: Report, verdict: str) -> bool:
    """Tells whether a verdict fails this run."""
    return verdict in failing_verdicts(strict=report["strict"])


def _is_deeper_than(document: Any, limit: int) -> bool:
    """Tells whether a JSON value has more than `limit` objects and arrays inside each other."""
    values = [document]
    for _ in range(limit + 1):
        containers = [each for each in values if isinstance(each, dict | list)]
        if not containers:
            return False
        values = [
            value
            for each in containers
            for value in (each.values() if isinstance(each, dict) else each)
        ]
    return True
