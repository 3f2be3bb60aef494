"""A report as `verify` makes them, of a target that does nearly everything wrong."""

from typing import Any

from clients_register.conformance.results import Verdict

HOSTILE = "<script>document.title = 'taken over'</script>\x1b[31m|`x`|\x00 & </details>"


def case(verdict: Verdict, **changes: Any) -> dict[str, Any]:
    """A case that came to `verdict`, in an exchange with hostile answers."""
    missed = verdict if verdict in (Verdict.FAIL, Verdict.WARN, Verdict.NOTE) else Verdict.PASS
    finding = {
        "verdict": str(missed),
        "grade": "documented",
        "what": "status",
        "expected": "something",
        "received": HOSTILE,
        "exchange": 0,
        "requirement": "R-CLIENT-CREATED",
    }
    exchange = {
        "role": "send",
        "request": {
            "method": "POST",
            "url": "http://127.0.0.1/register",
            "headers": [["Content-Type", "text/plain"]],
            "body": "e30=",
            "decoded": {},
        },
        "answer": {
            "code": 400,
            "headers": [["X", HOSTILE]],
            "body": HOSTILE,
            "envelope": {"status": HOSTILE},
            "milliseconds": 1.5,
        },
        "error": None,
        "curl": "curl -d e30= http://127.0.0.1/register",
    }
    return {
        "id": f"some-area/{verdict}",
        "area": "some-area",
        "title": f"a case that comes to {verdict}",
        "requires": ["R-CLIENT-CREATED"],
        "questions": ["Q-PATH"],
        "claims": "core",
        "verdict": str(verdict),
        "reason": None if missed is verdict else f"because of {HOSTILE}",
        "seconds": 0.25,
        "rerun": f"clients-register verify http://127.0.0.1 --only some-area/{verdict}",
        "findings": [finding, {**finding, "what": "a second thing"}],
        "exchanges": [exchange],
        **changes,
    }


def report(**changes: Any) -> dict[str, Any]:
    """A report with a case of each verdict."""
    cases = [case(verdict) for verdict in Verdict]
    ids = [each["id"] for each in cases]
    requirement = {
        "key": "R-CLIENT-CREATED",
        "statement": "A request that succeeds registers a new client.",
        "section": "Purpose",
        "testable": True,
        "reason": None,
        "verdict": "error",
        "cases": ids,
    }
    question = {
        "key": "Q-PATH",
        "question": "What is the path?",
        "choice": "This one.",
        "grade": "family",
        "answer": "otherwise",
        "seen": ["some-status"],
        "cases": ids,
    }
    status = {"slug": "some-status", "code": 400, "meaning": "Some.", "met": 3, "cases": ids}
    return {
        "report": 1,
        "suite": {"version": "1.2.3", "contract": "1.0.0", "spec_sha256": "0" * 64},
        "target": {
            "name": HOSTILE,
            "base_url": "http://127.0.0.1",
            "control": False,
            "claims": ["core"],
        },
        "started": "2026-01-15T09:30:00+00:00",
        "seconds": 2.5,
        "strict": False,
        "command": "clients-register verify http://127.0.0.1",
        "summary": {str(verdict): 1 for verdict in Verdict},
        "exit_code": 4,
        "reason": "1 cases could not be judged",
        "evidence": {"documented": 10, "run": 7, "share": 0.7, "minimum": 0.8, "enough": False},
        "missing_states": [{"state": "clock", "cases": 1}],
        "created": [{"email": "conformance.x@tests.test", "id": 5}],
        "requirements": [requirement],
        "questions": [question],
        "statuses": [status],
        "cases": cases,
        **changes,
    }
