"""Why a request was answered as it was: the rules that held, the one that did not, the next one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from clients_register.handlers.attempt import Attempt
from clients_register.handlers.mock.journal import Entry
from clients_register.handlers.refusals import Fault, errors
from clients_register.handlers.rules import RULES
from clients_register.spec.catalogue import Stage, Status

# Stages whose rules need no effect, so that they can be asked again without changing anything.
ASKABLE = (Stage.IDENTITY, Stage.PARAMS)

FORCED = {
    "prefer": "The header Prefer asked for this status; no rule was asked.",
    "script": "The script of this world said so; no rule was asked.",
    "address": "The magic address in client.email asked for this status; no rule was asked.",
}


async def explanation(entry: Entry) -> dict[str, Any]:
    """The explanation of `entry`. What would come next is judged by what the world holds now."""
    attempt = entry.attempt
    if entry.forced is not None:
        return _explained(FORCED[entry.forced])
    if entry.slug is None:
        return _explained("The stub was asked for something it does not have: see the answer.")
    if attempt is None:
        return _explained("The request was answered before a rule of the route was asked.")
    rows = {fact: row for row in attempt.services.catalogue.rows for fact in row.facts}
    severity = attempt.services.severity
    passed = [_step(fact, rows[fact], severity) for fact in attempt.passed]
    if attempt.broken is None:
        return _explained("All rules held.", passed)
    stopped = _step(attempt.broken, rows[attempt.broken], severity, attempt.faults)
    summary = f"Stopped by {stopped['status']}: {_broken(stopped)}"
    return _explained(summary, passed, stopped, await _next(attempt, rows[attempt.broken]))


def _explained(
    summary: str,
    passed: Sequence[dict[str, Any]] = (),
    stopped: dict[str, Any] | None = None,
    following: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {"summary": summary, "passed": [*passed], "stopped": stopped, "next": following}


def _step(
    fact: str, row: Status, severity: Mapping[str, int], faults: Sequence[Fault] = ()
) -> dict[str, Any]:
    rule = RULES.get(fact)
    sentence = (rule.__doc__ or "").strip() if rule else fact.replace("_", " ").capitalize() + "."
    shown = errors(faults, severity) if "errors" in row.carries else []
    return {"fact": fact, "sentence": sentence, "status": row.slug, "errors": shown}


def _broken(step: dict[str, Any]) -> str:
    if step["errors"]:
        return ", ".join(f"{each['attr']} is {each['message']}" for each in step["errors"]) + "."
    return f"it does not hold that: {step['sentence']}"


async def _next(attempt: Attempt, stopping: Status) -> dict[str, Any] | None:
    """The next row that would refuse, were the one that stopped the attempt mended."""
    askable = [row for stage in ASKABLE for row in attempt.services.catalogue.at(stage)]
    if stopping not in askable:
        return None
    again = replace(attempt, faults=[], passed=[], broken=None)
    for row in askable[askable.index(stopping) + 1 :]:
        again.faults = []
        broken = None
        for fact in row.facts:
            again.faults += await RULES[fact](again)
            broken = broken or (fact if again.faults else None)
        if broken is not None:
            return _step(broken, row, attempt.services.severity, again.faults)
    return None
