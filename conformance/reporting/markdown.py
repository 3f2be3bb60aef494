"""A report as Markdown, for the summary of a CI run."""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from clients_register.conformance.reporting.told import judged, misses, statement, told_cases

# A summary is for reading; the whole is in the report.
MOST = 50

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")


def markdown(report: Mapping[str, Any]) -> str:
    """GitHub-flavoured Markdown."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    mark = "✅" if report["exit_code"] == 0 else "❌"
    yield f"## {mark} {_escaped(report['target']['name'])}"
    yield ""
    yield f"{_escaped(report['reason'])}. Contract {report['suite']['contract']}."
    yield ""
    yield "| verdict | cases |"
    yield "| --- | ---: |"
    yield from (f"| {name} | {count} |" for name, count in report["summary"].items() if count)
    yield ""
    yield "| status | HTTP | met | cases |"
    yield "| --- | ---: | ---: | ---: |"
    for each in report["statuses"]:
        yield f"| `{each['slug']}` | {each['code']} | {each['met']} | {len(each['cases'])} |"
    yield ""
    told = list(told_cases(report))
    for case in told[:MOST]:
        yield from _case(report, case)
    if len(told) > MOST:
        yield f"And {len(told) - MOST} more, in the report."


def _case(report: Mapping[str, Any], case: Mapping[str, Any]) -> Iterator[str]:
    title = html.escape(f"{case['verdict']} {case['id']}: {case['title']}")
    yield f"<details><summary>{title}</summary>"
    yield ""
    if case["reason"]:
        yield _escaped(case["reason"])
        yield ""
    for each in misses(case):
        yield (
            f"- **{_escaped(each['what'])}** ({each['grade']}): expected"
            f" {_code(each['expected'])}, received {_code(each['received'])}"
        )
    yield from (f"- {_escaped(statement(report, key))}" for key in case["requires"])
    exchange = judged(case)
    lines = [*([exchange["curl"]] if exchange else []), case["rerun"]]
    yield ""
    yield from (f"    {line}" for text in lines for line in text.splitlines())
    yield ""
    yield "</details>"
    yield ""


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """Inline code; its fence is longer than any in the text."""
    flat = " ".join(text.split())
    fence = "`" * (max((len(each) for each in re.findall("`+", flat)), default=0) + 1)
    return f"{fence} {flat} {fence}" if flat else "nothing"
