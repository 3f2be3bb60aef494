"""Renders a report for the terminal: the violations, worst first, and what the run came to."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clients_register.conformance.escaping import escape_all
from clients_register.conformance.fuzz import AREA as FUZZ_AREA
from clients_register.conformance.report.campaign_tables import render_campaign_lines
from clients_register.conformance.report.model import (
    describe_examples,
    describe_missing,
    describe_source,
    describe_violation,
    format_counts,
    is_failing,
    judged_exchange,
    listed_cases,
    missed_findings,
)

# Violations that are shown unless all are asked for; with what follows, they fit two screens.
MAX_VIOLATIONS = 15

# Verdicts and styles -> codes of ECMA-48 (SGR).
STYLES = {
    "pass": "32",
    "note": "36",
    "warn": "33",
    "fail": "31",
    "unexpected-pass": "31",
    "error": "35",
    "dim": "2",
    "bold": "1",
}

Style = Callable[[str, str], str]


def render_terminal(report: Mapping[str, Any], *, color: bool, verbose: bool = False) -> str:
    """Renders the output of `verify`. If `verbose`, each case that needs attention is shown, too.

    Otherwise, notes are only counted unless they fail the run, and so is what exceeds two screens.
    """
    # Before the styles are added, whose codes must reach the terminal.
    report = escape_all({**report, "cases": list(listed_cases(report))})
    style = _apply_style if color else _keep_plain
    lines = []
    if verbose:
        lines += [line for each in report["cases"] for line in _render_case(report, each, style)]
    lines += _render_violations(report, style, verbose=verbose)
    missing = list(describe_missing(report))
    lines += [*missing, ""] if missing else []
    if "fuzz" in report:
        lines += [*render_campaign_lines(report["fuzz"], verbose=verbose), ""]
    lines += (f"{style('warn', 'warning')}: {each}" for each in report.get("warnings", ()))
    target = report["target"]
    verdict = "pass" if report["exit_code"] == 0 else "fail"
    lines += [
        f"{style('bold', target['name'])} on contract {report['suite']['contract']},"
        f" {report['seconds']:.1f} s",
        format_counts(report) + _render_evidence(report["evidence"]),
        style(verdict, report["reason"]),
    ]
    return "".join(f"{line}\n" for line in lines)


def _render_violations(report: Mapping[str, Any], style: Style, *, verbose: bool) -> Iterator[str]:
    violations = report["violations"]
    shown = violations
    if not verbose:
        relevant = (
            each for each in violations if each["verdict"] != "note" or is_failing(report, "note")
        )
        shown = [*relevant][:MAX_VIOLATIONS]
    cases = {each["id"]: each for each in report["cases"]}
    for each in shown:
        yield from _render_violation(report, each, cases, style)
    if rest := Counter(each["verdict"] for each in violations[len(shown) :]):
        counts = ", ".join(f"{count} {verdict}" for verdict, count in rest.items())
        yield f"not shown: {counts}; --verbose shows all, and --html FILE writes a page of them"
        yield ""


def _render_violation(
    report: Mapping[str, Any],
    violation: Mapping[str, Any],
    cases: Mapping[str, Any],
    style: Style,
) -> Iterator[str]:
    verdict = violation["verdict"]
    yield f"{style(verdict, verdict.upper())} {style('bold', describe_violation(violation))}"
    if source := violation["source"]:
        yield style("dim", f"  {describe_source(report, source)}")
    yield f"  {describe_examples(violation)}"
    example = cases.get(violation["examples"][0])
    if example is not None and example["area"] == FUZZ_AREA:
        # Running the campaign again takes much longer than sending this request again.
        if example["reason"]:
            yield f"  {example['reason']}"
        yield from _render_request(example)
    yield f"  {violation['rerun']}"
    yield ""


def _render_evidence(evidence: Mapping[str, Any]) -> str:
    if not evidence["documented"]:
        return ""
    return f"; {evidence['run']} of {evidence['documented']} documented cases were run"


def _render_case(report: Mapping[str, Any], case: Mapping[str, Any], style: Style) -> Iterator[str]:
    yield f"{style(case['verdict'], case['verdict'].upper())} {style('bold', case['id'])}"
    yield f"  {case['title']}"
    if case["reason"]:
        yield f"  {case['reason']}"
    for each in missed_findings(case):
        grade = style("dim", f"({each['grade']})")
        yield f"  {style(each['verdict'], each['verdict'])} {each['what']} {grade}"
        yield f"    expected {each['expected']}"
        yield f"    received {each['received']}"
    for key in case["requires"]:
        yield style("dim", f"  {describe_source(report, key)}")
    yield from _render_request(case)
    yield f"  rerun: {case['rerun']}"
    yield ""


def _render_request(case: Mapping[str, Any]) -> Iterator[str]:
    exchange = judged_exchange(case)
    if exchange is not None:
        yield f"  {exchange['curl']}"


def _keep_plain(_: str, text: str) -> str:
    return text


def _apply_style(name: str, text: str) -> str:
    return f"\033[{STYLES[name]}m{text}\033[0m" if name in STYLES else text
