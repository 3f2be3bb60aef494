"""Renders a report as one self-contained HTML file."""

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any

from clients_register.conformance.report.campaign import render_campaign_html
from clients_register.conformance.report.model import Report, format_counts


def render_html(report: Report) -> str:
    """Renders the page. Everything that was received is escaped."""
    parts = {
        "css": _read_file("page.css"),
        "js": _read_file("page.js"),
        "name": escape(report["target"]["name"]),
        "head": "".join(_render_head(report)),
        "counts": "".join(_render_filters(report)),
        "cases": "".join(map(_render_case, report["cases"])),
        "matrix": "".join(_render_statuses(report)),
        "requirements": "".join(_render_requirements(report)),
        "questions": "".join(_render_questions(report)),
        "created": "".join(_render_created(report)),
        "nav": ' <a href="#campaign">Fuzzing</a>' if "fuzz" in report else "",
        "campaign": "".join(render_campaign_html(report.get("fuzz"))),
    }
    page = _read_file("page.html")
    for name, text in parts.items():
        before, mark, after = page.partition(f"<!--{name}-->")
        assert mark, f"page.html has no place for {name}"
        page = before + text + after
    return page


def _read_file(name: str) -> str:
    return (files(__package__) / name).read_text("utf-8")


def _render_head(report: Report) -> Iterator[str]:
    conforms = report["exit_code"] == 0
    suite, target, evidence = report["suite"], report["target"], report["evidence"]
    yield f'<p class="reason {"pass" if conforms else "fail"}">{escape(report["reason"])}</p>'
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
    if report["missing_states"]:
        missing = (f"{each['state']} ({each['cases']} cases)" for each in report["missing_states"])
        facts["Not arranged"] = ", ".join(missing)
    yield "<dl>"
    yield from (f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    yield "</dl>"


def _render_filters(report: Report) -> Iterator[str]:
    for verdict, count in report["summary"].items():
        if count:
            yield (
                f'<button type="button" data-verdict="{verdict}" aria-pressed="false">'
                f"{_render_verdict(verdict)} {count}</button>"
            )


def _render_case(case: Mapping[str, Any]) -> str:
    words = " ".join([case["id"], case["title"], case["verdict"], *case["requires"]])
    exchanges = "".join(map(_render_exchange, case["exchanges"]))
    reason = f'<p class="why">{escape(case["reason"])}</p>' if case["reason"] else ""
    keys = "".join(
        f"<li>{_render_key(key)}</li>" for key in (*case["requires"], *case["questions"])
    )
    return (
        f'<details class="case" id="case-{escape(case["id"])}" data-verdict="{case["verdict"]}"'
        f' data-words="{escape(words.lower())}"><summary>{_render_verdict(case["verdict"])}'
        f' <span class="title">{escape(case["title"])}</span>'
        f' <code class="id">{escape(case["id"])}</code></summary>'
        f'{reason}<ul class="keys">{keys}</ul>{_render_findings(case["findings"])}{exchanges}'
        f"{_render_command('Rerun this case', case['rerun'])}</details>"
    )


def _render_findings(findings: Iterable[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{_render_verdict(each['verdict'])}</td><td>{escape(each['what'])}</td>"
        f"<td>{escape(each['grade'])}</td><td><code>{escape(each['expected'])}</code></td>"
        f"<td><code>{escape(each['received'])}</code></td></tr>"
        for each in findings
    )
    head = "<tr><th>verdict<th>what<th>evidence<th>expected<th>received</tr>"
    return f'<div class="wide"><table class="findings">{head}{rows}</table></div>' if rows else ""


def _render_exchange(exchange: Mapping[str, Any]) -> str:
    request, answer = exchange["request"], exchange["answer"]
    head = "\n".join(
        [f"{request['method']} {request['url']}", *(f"{n}: {v}" for n, v in request["headers"])]
    )
    sent = _render_block("Request", f"{head}\n\n{request['body']}")
    if request["decoded"] is not None:
        sent += _render_block(
            "Decoded", json.dumps(request["decoded"], ensure_ascii=False, indent=2)
        )
    if answer is None:
        came = _render_block("Response", exchange["error"] or "nothing")
    else:
        lines = [f"HTTP {answer['code']}", *(f"{n}: {v}" for n, v in answer["headers"])]
        whole = "\n".join(lines) + f"\n\n{answer['body']}"
        came = _render_block(f"Response, {answer['milliseconds']:.1f} ms", whole)
        if answer["envelope"] is not None:
            came += _render_block(
                "Envelope", json.dumps(answer["envelope"], ensure_ascii=False, indent=2)
            )
    role = {"arrange": "Arranged", "before": "Before", "send": "Judged"}[exchange["role"]]
    return (
        f'<section class="exchange"><h4>{role}</h4><div class="pair"><div>{sent}</div>'
        f"<div>{came}</div></div>{_render_command('As a curl command', exchange['curl'])}</section>"
    )


def _render_statuses(report: Report) -> Iterator[str]:
    """Renders each status with the requirements that its cases test."""
    cases = {case["id"]: case for case in report["cases"]}
    verdicts = {each["key"]: each["verdict"] for each in report["requirements"]}
    for each in report["statuses"]:
        about = [cases[name] for name in each["cases"]]
        keys = sorted({key for case in about for key in case["requires"]})
        chips = "".join(
            f'<li class="{verdicts[key] or "none"}">{_render_key(key)}</li>' for key in keys
        )
        yield (
            f"<tr><td><code>{escape(each['slug'])}</code></td><td>{each['code']}</td>"
            f"<td>{each['met']}</td><td>{len(about)}</td>"
            f'<td><ul class="keys">{chips}</ul></td></tr>'
        )


def _render_requirements(report: Report) -> Iterator[str]:
    for each in report["requirements"]:
        said = each["verdict"] or ("not run" if each["testable"] else "not testable")
        note = f'<br><span class="quiet">{escape(each["reason"])}</span>' if each["reason"] else ""
        yield (
            f'<tr id="{each["key"]}"><td>{_render_verdict(said)}</td>'
            f"<td><code>{each['key']}</code></td><td>{escape(each['statement'])}{note}</td><td>{escape(each['section'])}</td>"
            f"<td>{_render_case_links(each['cases'])}</td></tr>"
        )


def _render_questions(report: Report) -> Iterator[str]:
    for each in report["questions"]:
        seen = ", ".join(each["seen"])
        yield (
            f'<tr id="{each["key"]}"><td>{_render_verdict(each["answer"])}</td><td>'
            f"<code>{each['key']}</code></td><td>{escape(each['question'])}<br>"
            f'<span class="quiet">{escape(each["choice"])}</span></td>'
            f"<td>{escape(each['grade'])}</td><td>{escape(seen)}</td>"
            f"<td>{_render_case_links(each['cases'])}</td></tr>"
        )


def _render_created(report: Report) -> Iterator[str]:
    for each in report["created"]:
        number = "" if each["id"] is None else str(each["id"])
        yield f"<tr><td>{escape(each['email'])}</td><td>{number}</td></tr>"


def _render_case_links(names: list[str]) -> str:
    links = (f'<a href="#case-{escape(name)}">{escape(name)}</a>' for name in names)
    return f"<details><summary>{len(names)}</summary>{'<br>'.join(links)}</details>"


def _render_verdict(verdict: str) -> str:
    return f'<span class="chip {verdict.replace(" ", "-")}">{verdict}</span>'


def _render_key(key: str) -> str:
    return f'<a href="#{escape(key)}"><code>{escape(key)}</code></a>'


def _render_block(title: str, text: str) -> str:
    return f'<h5>{escape(title)}</h5><pre tabindex="0">{escape(text)}</pre>'


def _render_command(title: str, text: str) -> str:
    return (
        f'<div class="copied"><h5>{title}</h5><button type="button" class="copy">Copy</button>'
        f'<pre tabindex="0">{escape(text)}</pre></div>'
    )
