"""Builds the report of a run from its results, with secrets redacted."""

import hashlib
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clients_register import __version__, spec
from clients_register.conformance.decision import Evidence, ExitCode
from clients_register.conformance.exchange import Exchange
from clients_register.conformance.redaction import Redactor, hide_own_headers, redactor_for
from clients_register.conformance.report.curl import render_curl, render_netcat
from clients_register.conformance.report.model import LISTED
from clients_register.conformance.response import ABSENT, as_id, cut_text
from clients_register.conformance.results import JUDGED, Finding, Result, Verdict, worst
from clients_register.conformance.target import Target
from clients_register.conformance.violations import Violation, find_violations
from clients_register.spec.statuses import StatusTable

# Characters of a body that a report shows; its curl command sends all of them. Text is redacted
# before it is cut, so that no part of a secret is left.
MAX_BODY = 4000

# Characters of a value that a finding shows, and of a reason or a warning.
MAX_FINDING = 300
MAX_REASON = 1000

# Cases that a violation names as examples, and values that it lists of those expected and received.
MAX_EXAMPLES = 3
MAX_VALUES = 3

# HTTP codes after which no client was stored.
REFUSALS = range(400, 500)


@dataclass(frozen=True)
class RunSummary:
    """The parts of a report about the run as a whole.

    `command` is the subcommand with its target. `campaign` describes the fuzzing campaign, if there
    was one, and `created` its clients, as address to id. `warnings` say what was not cleaned up.
    """

    started: datetime
    seconds: float
    strict: bool
    command: Sequence[str]
    evidence: Evidence
    decision: tuple[ExitCode, str]
    campaign: Mapping[str, Any] | None = None
    created: Mapping[str, int | None] = field(default_factory=dict)
    warnings: Sequence[str] = ()


def build_report(
    results: Sequence[Result],
    target: Target,
    statuses: StatusTable,
    summary: RunSummary,
    *,
    in_full: bool = True,
) -> dict[str, Any]:
    """Builds the report of a run, as described by report.schema.json.

    Unless `in_full`, it has no exchanges of cases that need no attention.
    """
    evidence = summary.evidence
    code, reason = summary.decision
    redactor = redactor_for(target)
    campaign = summary.campaign
    if campaign is not None:
        campaign = {**campaign, "why": _shorten(campaign["why"], redactor)}
    counts = Counter(each.verdict for each in results)
    redactors = {id(each): redactor_for(target, each) for each in results}
    cases = {
        id(each): _report_case(
            each,
            target,
            redactors[id(each)],
            summary.command,
            in_full=in_full or each.verdict in LISTED,
        )
        for each in results
    }
    return {
        "report": 2,
        "suite": {
            "version": __version__,
            "contract": spec.load("openapi")["info"]["version"],
            "spec_sha256": hashlib.sha256(spec.text("openapi").encode()).hexdigest(),
        },
        "target": {
            "name": target.name,
            "base_url": target.base_url,
            "control": target.control,
            "claims": list(target.claims),
        },
        "started": summary.started.isoformat(timespec="seconds"),
        "seconds": round(summary.seconds, 3),
        "strict": summary.strict,
        "command": shlex.join(["clients-register", *summary.command]),
        "summary": {str(verdict): counts[verdict] for verdict in Verdict},
        "exit_code": int(code),
        "reason": _shorten(reason, redactor),
        "warnings": [_shorten(each, redactor) for each in summary.warnings],
        "evidence": {
            "documented": evidence.documented,
            "run": evidence.run,
            "share": round(evidence.share, 4),
            "minimum": evidence.minimum,
            "enough": evidence.enough,
        },
        "missing_states": [
            {"state": name, "cases": count}
            for name, count in _count_missing(each.missing_state for each in results)
        ],
        "missing_values": [
            {"value": name, "cases": count}
            for name, count in _count_missing(each.missing_value for each in results)
        ],
        "created": _list_created({**find_created(results), **summary.created}),
        "requirements": _report_requirements(results),
        "questions": _report_questions(results),
        "statuses": _report_statuses(results, statuses),
        "violations": [
            _report_violation(each, redactors, cases) for each in find_violations(results)
        ],
        "cases": [*cases.values()],
        **({} if campaign is None else {"fuzz": campaign}),
    }


def _shorten(reason: str, redactor: Redactor) -> str:
    return cut_text(redactor.redact_received(reason), MAX_REASON)


def find_created(results: Sequence[Result]) -> dict[str, int | None]:
    """Returns the addresses that may belong to new clients, with their ids where known.

    On a target that cannot be reset, these clients have to be deleted.
    """
    created: dict[str, int | None] = {}
    for result in results:
        for exchange in result.exchanges:
            if exchange.response is None or exchange.response.code not in REFUSALS:
                number = as_id(_data_member(exchange, "id"))
                for email in _possible_emails(exchange, result):
                    created[email] = created.get(email) if number is None else number
    return created


def _possible_emails(exchange: Exchange, result: Result) -> list[str]:
    """Returns the addresses that a request may have registered; if unknown, all of the case."""
    if exchange.forced:
        return []
    client = exchange.decoded.get("client") if isinstance(exchange.decoded, dict) else None
    sent = client.get("email") if isinstance(client, dict) else None
    for email in (_data_member(exchange, "email"), sent):
        if isinstance(email, str):
            return [email.strip()]
    return result.emails


def _data_member(exchange: Exchange, name: str) -> Any:
    data = exchange.envelope.get("data") if isinstance(exchange.envelope, dict) else None
    return data.get(name) if isinstance(data, dict) else None


def _list_created(created: Mapping[str, int | None]) -> list[dict[str, Any]]:
    return [{"email": email, "id": number} for email, number in created.items()]


def _report_violation(
    violation: Violation, redactors: Mapping[int, Redactor], cases: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    results, first = violation.results, violation.first
    findings = [
        _report_finding(finding, result, redactors[id(result)])
        for result, finding in violation.findings
    ]
    examples = [cases[id(each)] for each in results[:MAX_EXAMPLES]]
    return {
        "verdict": str(first.verdict),
        "grade": str(first.grade),
        "what": first.what,
        "every_response": first.every_response,
        "source": violation.source,
        "expected": _count_values(each["expected"] for each in findings),
        "received": _count_values(each["received"] for each in findings),
        "findings": len(findings),
        "cases": len(results),
        "examples": [each["id"] for each in examples],
        "requirements": sorted(_requirements_of(violation)),
        "rerun": examples[0]["rerun"],
    }


def _requirements_of(violation: Violation) -> set[str]:
    """Returns the requirements of its cases, unless it is about every response."""
    if violation.first.every_response:
        return set()
    return {key for each in violation.results for key in each.case.requires}


def _count_values(values: Iterable[str]) -> list[dict[str, Any]]:
    """Returns the most frequent of `values`, each with its number."""
    frequent = Counter(values).most_common(MAX_VALUES)
    return [{"value": value, "findings": count} for value, count in frequent]


def _report_case(
    result: Result,
    target: Target,
    redactor: Redactor,
    command: Sequence[str],
    *,
    in_full: bool,
) -> dict[str, Any]:
    case, exchanges = result.case, result.exchanges if in_full else ()
    return {
        "id": case.id,
        "area": case.area,
        "title": redactor.redact_received(case.title),
        "requires": list(case.requires),
        "questions": list(case.questions),
        "claims": case.claims,
        "verdict": str(result.verdict),
        "reason": None if result.reason is None else _shorten(result.reason, redactor),
        "seconds": round(result.seconds, 4),
        "rerun": shlex.join(["clients-register", *(result.rerun or (*command, "--only", case.id))]),
        "findings": [_report_finding(each, result, redactor) for each in result.findings],
        "exchanges": [_report_exchange(each, target, redactor) for each in exchanges],
    }


def _report_finding(finding: Finding, result: Result, redactor: Redactor) -> dict[str, Any]:
    keys = (*result.case.requires, *result.case.questions)
    judged = [index for index, each in enumerate(result.exchanges) if each.role == "send"]
    return {
        "verdict": str(finding.verdict),
        "grade": str(finding.grade),
        "what": redactor.redact(finding.what),
        "expected": cut_text(redactor.redact(finding.expected), MAX_FINDING),
        "received": cut_text(redactor.redact_received(finding.received), MAX_FINDING),
        "exchange": judged[-1] if finding.exchange is None and judged else finding.exchange,
        "every_response": finding.every_response,
        "source": finding.source or (keys[0] if keys else None),
    }


def _report_exchange(exchange: Exchange, target: Target, redactor: Redactor) -> dict[str, Any]:
    request = hide_own_headers(exchange.request, target)
    if exchange.raw is None:
        command = render_curl(request, target.origin)
    else:
        command = render_netcat(exchange.raw, target.origin)
    return {
        "role": exchange.role,
        "request": {
            "method": request.method,
            "url": target.origin + request.target,
            "headers": [list(each) for each in request.headers],
            "body": cut_text(redactor.redact(_decode_body(request.body)), MAX_BODY),
            "decoded": redactor.redact_json(exchange.decoded),
        },
        "answer": _report_response(exchange, redactor),
        "error": exchange.failure and redactor.redact_received(str(exchange.failure)),
        "curl": redactor.redact(command),
    }


def _report_response(exchange: Exchange, redactor: Redactor) -> dict[str, Any] | None:
    response, body, envelope = exchange.response, exchange.body, exchange.envelope
    if response is None or body is None:
        return None
    return {
        "code": response.code,
        "headers": [
            [name, redactor.redact_header(name, value)] for name, value in response.headers
        ],
        "body": cut_text(redactor.redact_received(body.text), MAX_BODY),
        "envelope": None if envelope is ABSENT else redactor.redact_received_json(envelope),
        "milliseconds": round(response.seconds * 1000, 2),
    }


def _decode_body(body: bytes) -> str:
    """Decodes a request body for display, with escapes for invalid UTF-8."""
    return body.decode("utf-8", "backslashreplace")


def _count_missing(names: Iterable[str | None]) -> list[tuple[str, int]]:
    return Counter(name for name in names if name is not None).most_common()


def _report_requirements(results: Sequence[Result]) -> list[dict[str, Any]]:
    entries = []
    for key, requirement in spec.load("requirements")["requirements"].items():
        about = [each for each in results if key in each.case.requires]
        verdicts = [each.verdict for each in about] + _verdicts_apart(results, key)
        judged = [each for each in verdicts if each in JUDGED or each is Verdict.ERROR]
        entries.append(
            {
                "key": key,
                "statement": " ".join(requirement["statement"].split()),
                "section": requirement["section"],
                "testable": requirement["testable"],
                "reason": requirement.get("reason"),
                "verdict": str(worst(judged)) if judged else None,
                "cases": [each.case.id for each in about],
            }
        )
    return entries


def _verdicts_apart(results: Sequence[Result], key: str) -> list[Verdict]:
    """Returns the verdicts about a requirement or question that count for no case."""
    return [
        finding.verdict
        for each in results
        for finding in each.findings
        if finding.apart and finding.source == key
    ]


def _report_questions(results: Sequence[Result]) -> list[dict[str, Any]]:
    entries = []
    for key, question in spec.load("questions")["questions"].items():
        about = [each for each in results if key in each.case.questions]
        judged = [each for each in about if each.verdict in JUDGED]
        verdicts = [each.verdict for each in judged] + _verdicts_apart(results, key)
        answer = "as-chosen" if verdicts else "not-observed"
        if any(each not in (Verdict.PASS, Verdict.OBSERVED) for each in verdicts):
            answer = "otherwise"
        entries.append(
            {
                "key": key,
                "question": " ".join(question["question"].split()),
                "choice": " ".join(question["choice"].split()),
                "grade": question["evidence"],
                "answer": answer,
                "seen": sorted({each.statuses[-1] for each in judged if each.statuses}),
                "cases": [each.case.id for each in about],
            }
        )
    return entries


def _report_statuses(results: Sequence[Result], statuses: StatusTable) -> list[dict[str, Any]]:
    met = Counter(slug for each in results for slug in each.statuses)
    expected = [(each.case.id, _expected_slugs(each, statuses)) for each in results]
    return [
        {
            "slug": row.slug,
            "code": row.code,
            "meaning": row.meaning,
            "met": met[row.slug],
            "cases": [case_id for case_id, slugs in expected if row.slug in slugs],
        }
        for row in statuses
    ]


def _expected_slugs(result: Result, statuses: StatusTable) -> set[str]:
    expected = (each for each in result.case.expectations if each.kind == "status")
    return {slug for each in expected for slug in statuses.spellings(each.terms["status"])}
