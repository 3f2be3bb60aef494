"""From results to the report: all that was seen, without the secrets."""

import hashlib
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clients_register import __version__, spec
from clients_register.conformance import curl
from clients_register.conformance.created import created
from clients_register.conformance.deciding import Evidence
from clients_register.conformance.envelope import ABSENT
from clients_register.conformance.findings import Exchange, Finding, Result
from clients_register.conformance.hiding import Hiding
from clients_register.conformance.invariants import forms
from clients_register.conformance.matching import spellings
from clients_register.conformance.target import Target
from clients_register.conformance.verdicts import RAN, Exit, Verdict, worst
from clients_register.spec.statuses import StatusTable

# Characters of a body that a report shows; its curl line sends all of them.
SHOWN = 4000


@dataclass(frozen=True)
class Run:
    """What a report says of a run as a whole. `command` is the subcommand with its target.

    `fuzz` is about a campaign, and `created` the clients of it, where there was one.
    """

    started: datetime
    seconds: float
    strict: bool
    command: Sequence[str]
    evidence: Evidence
    decision: tuple[Exit, str]
    fuzz: Mapping[str, Any] | None = None
    created: Mapping[str, int | None] = field(default_factory=dict)


def report(
    results: Sequence[Result],
    target: Target,
    statuses: StatusTable,
    run: Run,
) -> dict[str, Any]:
    """The report of a run, in the shape of report.schema.json."""
    evidence = run.evidence
    code, reason = run.decision
    counts = Counter(each.verdict for each in results)
    cases = [_case(each, target, run.command) for each in results]
    return {
        "report": 1,
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
        "started": run.started.isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 3),
        "strict": run.strict,
        "command": shlex.join(["clients-register", *run.command]),
        "summary": {str(verdict): counts[verdict] for verdict in Verdict},
        "exit_code": int(code),
        "reason": reason,
        "evidence": {
            "documented": evidence.documented,
            "run": evidence.run,
            "share": round(evidence.share, 4),
            "minimum": evidence.minimum,
            "enough": evidence.enough,
        },
        "missing_states": _missing(results),
        "created": [
            *created(results),
            *({"email": email, "id": number} for email, number in run.created.items()),
        ],
        "requirements": _requirements(results),
        "questions": _questions(results),
        "statuses": _statuses(results, statuses),
        "cases": cases,
        **({} if run.fuzz is None else {"fuzz": run.fuzz}),
    }


def _case(result: Result, target: Target, command: Sequence[str]) -> dict[str, Any]:
    case = result.case
    # An API key that a target echoes; a short value may stand anywhere by chance.
    keys = [each for each in target.headers.values() if forms(each)]
    hide = Hiding([*result.secrets, *keys], (each.envelope for each in result.exchanges))
    return {
        "id": case.id,
        "area": case.area,
        "title": case.title,
        "requires": list(case.requires),
        "questions": list(case.questions),
        "claims": case.claims,
        "verdict": str(result.verdict),
        "reason": None if result.reason is None else hide(result.reason),
        "seconds": round(result.seconds, 4),
        "rerun": shlex.join(["clients-register", *(result.rerun or (*command, "--only", case.id))]),
        "findings": [_finding(each, result, hide) for each in result.findings],
        "exchanges": [_exchange(each, target, hide) for each in result.exchanges],
    }


def _finding(finding: Finding, result: Result, hide: Hiding) -> dict[str, Any]:
    requires = result.case.requires
    judged = [place for place, each in enumerate(result.exchanges) if each.role == "send"]
    return {
        "verdict": str(finding.verdict),
        "grade": str(finding.grade),
        "what": hide(finding.what),
        "expected": hide(finding.expected),
        "received": hide(finding.received),
        "exchange": judged[-1] if judged else None,
        "requirement": requires[0] if requires else None,
    }


def _exchange(exchange: Exchange, target: Target, hide: Hiding) -> dict[str, Any]:
    request, answer = exchange.shown, exchange.answer
    return {
        "role": exchange.role,
        "request": {
            "method": request.method,
            "url": target.origin + request.target,
            "headers": [list(each) for each in request.headers],
            "body": hide(_text(request.body)),
            "decoded": hide.inside(exchange.decoded),
        },
        "answer": None
        if answer is None
        else {
            "code": answer.code,
            "headers": [[name, hide(value)] for name, value in answer.headers],
            "body": hide(_text(answer.body)),
            "envelope": None if exchange.envelope is ABSENT else hide.inside(exchange.envelope),
            "milliseconds": round(answer.seconds * 1000, 2),
        },
        "error": None if exchange.failure is None else str(exchange.failure),
        "curl": hide(
            curl.line(request, target.origin)
            if exchange.raw is None
            else curl.raw(exchange.raw, target.origin)
        ),
    }


def _text(body: bytes) -> str:
    """A body as text: bytes that are no UTF-8 are escaped in hex, and of much not all is shown."""
    text = body.decode("utf-8", "backslashreplace")
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(body):,} bytes)"


def _missing(results: Sequence[Result]) -> list[dict[str, Any]]:
    lost = Counter(
        (each.reason or "").partition(":")[0]
        for each in results
        if each.verdict is Verdict.NOT_ARRANGED
    )
    return [{"state": state, "cases": count} for state, count in lost.most_common()]


def _requirements(results: Sequence[Result]) -> list[dict[str, Any]]:
    told = []
    for key, written in spec.load("requirements")["requirements"].items():
        about = [each for each in results if key in each.case.requires]
        ran = [
            each.verdict for each in about if each.verdict in RAN or each.verdict is Verdict.ERROR
        ]
        told.append(
            {
                "key": key,
                "statement": " ".join(written["statement"].split()),
                "section": written["section"],
                "testable": written["testable"],
                "reason": written.get("reason"),
                "verdict": str(worst(ran)) if ran else None,
                "cases": [each.case.id for each in about],
            }
        )
    return told


def _questions(results: Sequence[Result]) -> list[dict[str, Any]]:
    told = []
    for key, written in spec.load("questions")["questions"].items():
        about = [each for each in results if key in each.case.questions]
        ran = [each for each in about if each.verdict in RAN]
        otherwise = any(each.verdict not in (Verdict.PASS, Verdict.OBSERVED) for each in ran)
        answer = "not-observed" if not ran else "otherwise" if otherwise else "as-chosen"
        seen = sorted({each.statuses[-1] for each in ran if each.statuses})
        told.append(
            {
                "key": key,
                "question": " ".join(written["question"].split()),
                "choice": " ".join(written["choice"].split()),
                "grade": written["evidence"],
                "answer": answer,
                "seen": seen,
                "cases": [each.case.id for each in about],
            }
        )
    return told


def _statuses(results: Sequence[Result], statuses: StatusTable) -> list[dict[str, Any]]:
    met = Counter(slug for each in results for slug in each.statuses)
    told = []
    for row in statuses:
        about = [
            each.case.id
            for each in results
            if any(
                expectation.kind == "status"
                and row.slug in spellings(expectation.terms["status"], statuses)
                for expectation in each.case.expect
            )
        ]
        told.append(
            {
                "slug": row.slug,
                "code": row.code,
                "meaning": row.meaning,
                "met": met[row.slug],
                "cases": about,
            }
        )
    return told
