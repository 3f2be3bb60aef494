"""Renders a report as a page of HTML, which needs no other file: `page.html` is its template."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from clients_register.conformance.escaping import escape
from clients_register.conformance.report.campaign_tables import coverage_tables, precedence_rows
from clients_register.conformance.report.model import Report, describe_missing, format_counts

if TYPE_CHECKING:
    from jinja2 import Template


def render_html(report: Report) -> str:
    """Renders the page. The template escapes everything that was received."""
    campaign = report.get("fuzz")
    return _template().render(
        css=_read_file("page.css"),
        js=_read_file("page.js"),
        report=report,
        facts=_facts(report),
        tested_with=_requirements_by_status(report),
        verdicts={each["key"]: each["verdict"] for each in report["requirements"]},
        campaign=campaign,
        coverage=list(coverage_tables(campaign)) if campaign else [],
        precedence=precedence_rows(campaign["order"]) if campaign else {},
    )


@cache
def _template() -> "Template":
    # Most runs write no page.
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        finalize=_escape_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pretty"] = _format_json
    return environment.from_string(_read_file("page.html"))


def _escape_text(value: Any) -> Any:
    """Escapes what the template inserts, apart from its own markup."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return escape(value, multiline=True)
    return value


def _read_file(name: str) -> str:
    return (files(__package__) / name).read_text("utf-8")


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
