"""Renders a report as Markdown for the summary of a CI run, and as the data of a badge."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from clients_register.conformance.escaping import escape_all
from clients_register.conformance.report.model import (
    describe_examples,
    describe_source,
    describe_violation,
)
from clients_register.conformance.results import JUDGED

# Violations that a summary lists; the report has all of them.
MAX_VIOLATIONS = 50

# Colors of the badge by exit code.
BADGE_COLORS = {0: "brightgreen", 1: "red", 5: "lightgrey"}

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")


def render_markdown(report: Mapping[str, Any]) -> str:
    """Renders `report` as GitHub-flavored Markdown."""
    return "".join(f"{line}\n" for line in _render_lines(escape_all(report)))


def render_badge(report: Mapping[str, Any]) -> str:
    """Renders the JSON of an endpoint badge of shields.io."""
    summary = report["summary"]
    judged = sum(summary[verdict] for verdict in JUDGED)
    message = f"{summary['pass'] + summary['observed']}/{judged} {'pass' if judged else 'run'}"
    color = BADGE_COLORS.get(report["exit_code"], "orange")
    badge = {"schemaVersion": 1, "label": "clients/register", "message": message, "color": color}
    return json.dumps(badge) + "\n"


def _render_lines(report: Mapping[str, Any]) -> Iterator[str]:
    mark = "✅" if report["exit_code"] == 0 else "❌"
    yield f"## {mark} {_escape(report['target']['name'])}"
    yield ""
    yield f"{_escape(report['reason'])}. Contract {report['suite']['contract']}."
    yield ""
    for each in report.get("warnings", ()):
        yield f"Warning: {_escape(each)}"
        yield ""
    yield "| verdict | cases |"
    yield "| --- | ---: |"
    yield from (f"| {name} | {count} |" for name, count in report["summary"].items() if count)
    yield ""
    violations = report["violations"]
    for each in violations[:MAX_VIOLATIONS]:
        yield from _render_violation(report, each)
    if len(violations) > MAX_VIOLATIONS:
        yield f"The report has {len(violations) - MAX_VIOLATIONS} more."

    yield "| status | HTTP | met | cases |"
    yield "| --- | ---: | ---: | ---: |"
    for each in report["statuses"]:
        yield f"| `{each['slug']}` | {each['code']} | {each['met']} | {len(each['cases'])} |"
    yield ""


def _render_violation(report: Mapping[str, Any], violation: Mapping[str, Any]) -> Iterator[str]:
    title = html.escape(f"{violation['verdict']} {describe_violation(violation)}")
    yield f"<details><summary>{title}</summary>"
    yield ""
    for name in ("expected", "received"):
        for each in violation[name]:
            yield f"- {name} {_render_code(each['value'])} ({each['findings']})"
    if violation["source"]:
        yield f"- {_escape(describe_source(report, violation['source']))}"
    yield f"- {_escape(describe_examples(violation))}"
    yield ""
    yield from (f"    {line}" for line in violation["rerun"].splitlines())
    yield ""
    yield "</details>"
    yield ""


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _render_code(text: str) -> str:
    """Renders inline code, with a fence that is longer than any in the text."""
    flat = " ".join(text.split())
    fence = "`" * (max((len(each) for each in re.findall("`+", flat)), default=0) + 1)
    return f"{fence} {flat} {fence}" if flat else "nothing"
