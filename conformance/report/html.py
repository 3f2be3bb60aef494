"""Renders a report as a page of HTML, which needs no other file: `page.html` is its template."""

import json
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from clients_register.conformance.escaping import escape
from clients_register.conformance.report.campaign_tables import coverage_tables, precedence_rows
from clients_register.conformance.report.model import (
    LISTED,
    MAX_VALUE,
    Report,
    describe_examples,
    describe_missing,
    describe_source,
    describe_violation,
    format_counts,
    listed_cases,
    missed_findings,
)
from clients_register.conformance.response import cut_text
from clients_register.conformance.results import Verdict, failing_verdicts, pluralize

if TYPE_CHECKING:
    from jinja2 import Environment

# Characters of the requests and responses that a page shows, as JSON, so that it stays light.
MAX_EXCHANGES = 100_000

# Failing violations that are open when the page is loaded.
MAX_OPEN = 3


def render_html(report: Report) -> str:
    """Renders the page. The template escapes everything that was received."""
    campaign = report.get("fuzz")
    failing = failing_verdicts(strict=report["strict"]) | {Verdict.ERROR}
    cases, left_out = _shorten_cases(report, failing)
    environment = _environment()
    environment.filters["source"] = lambda source: describe_source(report, source)
    return environment.from_string(_read_file("page.html")).render(
        css=_read_file("page.css"),
        js=_read_file("page.js"),
        report=report,
        cases=cases,
        counts=Counter(key for each in cases for key in {*each["requires"], *each["questions"]}),
        not_claimed=_describe_not_claimed(report),
        left_out=pluralize(left_out, "case") if left_out else "",
        areas=list(dict.fromkeys(each["area"] for each in cases)),
        keys=[each["key"] for each in (*report["requirements"], *report["questions"])],
        failing=failing,
        opened=MAX_OPEN,
        facts=_facts(report),
        tested_with=_requirements_by_status(report),
        verdicts={each["key"]: each["verdict"] for each in report["requirements"]},
        campaign=campaign,
        coverage=list(coverage_tables(campaign)) if campaign else [],
        precedence=precedence_rows(campaign["order"]) if campaign else {},
    )


def _shorten_cases(
    report: Report, failing: frozenset[Verdict]
) -> tuple[list[Mapping[str, Any]], int]:
    """Returns the claimed cases as the page shows them, and how many lack requests and responses.

    What was missed in every response is shown once, as a violation. Failing cases are the first to
    keep their requests and responses, and then the examples of violations.
    """
    examples = {name for each in report["violations"] for name in each["examples"]}
    # The sort is stable, so the worst come first.
    listed = sorted(
        listed_cases(report),
        key=lambda case: (case["verdict"] not in failing, case["id"] not in examples),
    )
    shown, left = set[str](), MAX_EXCHANGES
    for case in listed:
        left -= len(json.dumps(case["exchanges"]))
        if left >= 0:
            shown.add(case["id"])
    cases: list[Mapping[str, Any]] = [
        {
            **each,
            "attention": each["verdict"] in LISTED,
            "findings": [
                finding for finding in missed_findings(each) if not finding["every_response"]
            ],
            "exchanges": each["exchanges"] if each["id"] in shown else [],
        }
        for each in report["cases"]
        if each["verdict"] != Verdict.NOT_CLAIMED
    ]
    return cases, len(listed) - len(shown)


def _describe_not_claimed(report: Report) -> str:
    """Returns how many cases are about what the target does not claim; empty if none is."""
    reasons = Counter(
        case["reason"] for case in report["cases"] if case["verdict"] == Verdict.NOT_CLAIMED
    )
    return ", ".join(
        f"{pluralize(count, 'case')} ({reason})" for reason, count in reasons.most_common()
    )


def _environment() -> "Environment":
    # Most runs write no page.
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        finalize=_escape_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "pretty": _format_json,
        "cut": _cut,
        "violation": describe_violation,
        "examples": describe_examples,
    }
    return environment


def _escape_text(value: Any) -> Any:
    """Escapes what the template inserts, apart from its own markup."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return escape(value, multiline=True)
    return value


def _read_file(name: str) -> str:
    return (files(__package__) / name).read_text("utf-8")


def _cut(text: str) -> str:
    return cut_text(text, MAX_VALUE)


def _format_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _facts(report: Report) -> Mapping[str, str]:
    """Returns the facts about the run, by the name under which the page shows them."""
    suite, target, evidence = report["suite"], report["target"], report["evidence"]
    facts = {
        "Target": f"{target['name']}, {target['base_url']}",
        "Claims": ", ".join(target["claims"]),
        "Cases": format_counts(report),
        "Evidence": f"{evidence['run']} of {evidence['documented']} documented cases were run",
        "Contract": f"{suite['contract']} (sha256 {suite['spec_sha256'][:12]}…)",
        "Run": f"{report['started']}, {report['seconds']:.1f} s, suite {suite['version']}"
        f"{', strict' if report['strict'] else ''}",
        "Command": report["command"],
    }
    if missing := list(describe_missing(report)):
        facts["Not run"] = "; ".join(missing)
    if report.get("warnings"):
        facts["Warnings"] = "\n".join(report["warnings"])
    return facts


def _requirements_by_status(report: Report) -> Mapping[str, list[str]]:
    """Returns the requirements that the cases of each status test."""
    requires = {case["id"]: case["requires"] for case in report["cases"]}
    return {
        status["slug"]: sorted({key for case in status["cases"] for key in requires[case]})
        for status in report["statuses"]
    }
