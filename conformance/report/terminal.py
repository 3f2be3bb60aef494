"""Renders a report for the terminal: passes are counted, everything else is shown in full."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clients_register.conformance.escaping import escape_all
from clients_register.conformance.report.campaign_tables import render_campaign_lines
from clients_register.conformance.report.model import (
    describe_missing,
    describe_requirement,
    format_counts,
    judged_exchange,
    listed_cases,
    missed_findings,
)

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


def render_terminal(report: Mapping[str, Any], *, color: bool) -> str:
    """Renders the output of `verify`."""
    # Before the styles are added, whose codes must reach the terminal.
    report = escape_all({**report, "cases": list(listed_cases(report))})
    style = _apply_style if color else _keep_plain
    lines = [line for case in listed_cases(report) for line in _render_case(report, case, style)]
    missing = list(describe_missing(report))
    lines += [*missing, ""] if missing else []
    if "fuzz" in report:
        lines += [*render_campaign_lines(report["fuzz"]), ""]
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
        yield style("dim", f"  {describe_requirement(report, key)}")
    exchange = judged_exchange(case)
    if exchange is not None:
        yield f"  {exchange['curl']}"
    yield f"  rerun: {case['rerun']}"
    yield ""


def _keep_plain(_: str, text: str) -> str:
    return text


def _apply_style(name: str, text: str) -> str:
    return f"\033[{STYLES[name]}m{text}\033[0m" if name in STYLES else text
