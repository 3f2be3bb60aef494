"""A report as one HTML file that needs no network: to be read, searched and kept."""

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any

from clients_register.conformance.reporting import campaign
from clients_register.conformance.reporting.told import counts

Report = Mapping[str, Any]


def html(report: Report) -> str:
    """The page. All that came over the wire is escaped, and nothing of it is ever a script."""
    parts = {
        "css": _file("page.css"),
        "js": _file("page.js"),
        "name": escape(report["target"]["name"]),
        "head": "".join(_head(report)),
        "counts": "".join(_filters(report)),
        "cases": "".join(map(_case, report["cases"])),
        "matrix": "".join(_matrix(report)),
        "requirements": "".join(_requirements(report)),
        "questions": "".join(_questions(report)),
        "created": "".join(_created(report)),
        "nav": ' <a href="#campaign">Fuzzing</a>' if "fuzz" in report else "",
        "campaign": "".join(campaign.html(report.get("fuzz"))),
    }
    page = _file("page.html")
    for name, text in parts.items():
        before, mark, after = page.partition(f"<!--{name}-->")
        assert mark, f"page.html has no place for {name}"
        page = before + text + after
    return page


def _file(name: str) -> str:
    return (files(__package__) / name).read_text("utf-8")


def _head(report: Report) -> Iterator[str]:
    good = report["exit_code"] == 0
    suite, target, evidence = report["suite"], report["target"], report["evidence"]
    yield f'<p class="reason {"pass" if good else "fail"}">{escape(report["reason"])}</p>'
    facts = {
        "Target": f"{target['name']}, {target['base_url']}",
        "Claims": ", ".join(target["claims"]),
        "Cases": counts(report),
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


def _filters(report: Report) -> Iterator[str]:
    for verdict, count in report["summary"].items():
        if count:
            yield (
                f'<button type="button" data-verdict="{verdict}" aria-pressed="false">'
                f"{_chip(verdict)} {count}</button>"
            )


def _case(case: Mapping[str, Any]) -> str:
    words = " ".join([case["id"], case["title"], case["verdict"], *case["requires"]])
    exchanges = "".join(map(_exchange, case["exchanges"]))
    reason = f'<p class="why">{escape(case["reason"])}</p>' if case["reason"] else ""
    keys = "".join(f"<li>{_key(key)}</li>" for key in (*case["requires"], *case["questions"]))
    return (
        f'<details class="case" id="case-{escape(case["id"])}" data-verdict="{case["verdict"]}"'
        f' data-words="{escape(words.lower())}"><summary>{_chip(case["verdict"])}'
        f' <span class="title">{escape(case["title"])}</span>'
        f' <code class="id">{escape(case["id"])}</code></summary>'
        f'{reason}<ul class="keys">{keys}</ul>{_findings(case["findings"])}{exchanges}'
        f"{_copied('Run this case again', case['rerun'])}</details>"
    )


def _findings(findings: Iterable[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{_chip(each['verdict'])}</td><td>{escape(each['what'])}</td>"
        f"<td>{escape(each['grade'])}</td><td><code>{escape(each['expected'])}</code></td>"
        f"<td><code>{escape(each['received'])}</code></td></tr>"
        for each in findings
    )
    head = "<tr><th>verdict<th>what<th>evidence<th>expected<th>received</tr>"
    return f'<div class="wide"><table class="findings">{head}{rows}</table></div>' if rows else ""


def _exchange(exchange: Mapping[str, Any]) -> str:
    request, answer = exchange["request"], exchange["answer"]
    head = "\n".join(
        [f"{request['method']} {request['url']}", *(f"{n}: {v}" for n, v in request["headers"])]
    )
    sent = _pre("Sent", f"{head}\n\n{request['body']}")
    if request["decoded"] is not None:
        sent += _pre("Decoded", json.dumps(request["decoded"], ensure_ascii=False, indent=2))
    if answer is None:
        came = _pre("Answered", exchange["error"] or "nothing")
    else:
        lines = [f"HTTP {answer['code']}", *(f"{n}: {v}" for n, v in answer["headers"])]
        whole = "\n".join(lines) + f"\n\n{answer['body']}"
        came = _pre(f"Answered, {answer['milliseconds']:.1f} ms", whole)
        if answer["envelope"] is not None:
            came += _pre("Envelope", json.dumps(answer["envelope"], ensure_ascii=False, indent=2))
    role = {"arrange": "Arranged", "before": "Before", "send": "Judged"}[exchange["role"]]
    return (
        f'<section class="exchange"><h4>{role}</h4><div class="pair"><div>{sent}</div>'
        f"<div>{came}</div></div>{_copied('As a curl line', exchange['curl'])}</section>"
    )


def _matrix(report: Report) -> Iterator[str]:
    """Each status, and the requirements that are judged by it."""
    cases = {case["id"]: case for case in report["cases"]}
    verdicts = {each["key"]: each["verdict"] for each in report["requirements"]}
    for each in report["statuses"]:
        about = [cases[name] for name in each["cases"]]
        keys = sorted({key for case in about for key in case["requires"]})
        chips = "".join(f'<li class="{verdicts[key] or "none"}">{_key(key)}</li>' for key in keys)
        yield (
            f"<tr><td><code>{escape(each['slug'])}</code></td><td>{each['code']}</td>"
            f"<td>{each['met']}</td><td>{len(about)}</td>"
            f'<td><ul class="keys">{chips}</ul></td></tr>'
        )


def _requirements(report: Report) -> Iterator[str]:
    for each in report["requirements"]:
        said = each["verdict"] or ("not run" if each["testable"] else "not testable")
        note = f'<br><span class="quiet">{escape(each["reason"])}</span>' if each["reason"] else ""
        yield (
            f'<tr id="{each["key"]}"><td>{_chip(said)}</td><td><code>{each["key"]}</code></td>'
            f"<td>{escape(each['statement'])}{note}</td><td>{escape(each['section'])}</td>"
            f"<td>{_links(each['cases'])}</td></tr>"
        )


def _questions(report: Report) -> Iterator[str]:
    for each in report["questions"]:
        seen = ", ".join(each["seen"])
        yield (
            f'<tr id="{each["key"]}"><td>{_chip(each["answer"])}</td><td>'
            f"<code>{each['key']}</code></td><td>{escape(each['question'])}<br>"
            f'<span class="quiet">{escape(each["choice"])}</span></td>'
            f"<td>{escape(each['grade'])}</td><td>{escape(seen)}</td>"
            f"<td>{_links(each['cases'])}</td></tr>"
        )


def _created(report: Report) -> Iterator[str]:
    for each in report["created"]:
        number = "" if each["id"] is None else str(each["id"])
        yield f"<tr><td>{escape(each['email'])}</td><td>{number}</td></tr>"


def _links(names: list[str]) -> str:
    links = (f'<a href="#case-{escape(name)}">{escape(name)}</a>' for name in names)
    return f"<details><summary>{len(names)}</summary>{'<br>'.join(links)}</details>"


def _chip(verdict: str) -> str:
    return f'<span class="chip {verdict.replace(" ", "-")}">{verdict}</span>'


def _key(key: str) -> str:
    return f'<a href="#{escape(key)}"><code>{escape(key)}</code></a>'


def _pre(title: str, text: str) -> str:
    return f'<h5>{escape(title)}</h5><pre tabindex="0">{escape(text)}</pre>'


def _copied(title: str, text: str) -> str:
    return (
        f'<div class="copied"><h5>{title}</h5><button type="button" class="copy">Copy</button>'
        f'<pre tabindex="0">{escape(text)}</pre></div>'
    )
