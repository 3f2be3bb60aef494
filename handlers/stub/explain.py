"""Explains a response: the rules that passed, the one violated, and the one that would be next."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from clients_register.handlers.context import FieldError, RequestContext
from clients_register.handlers.responses import error_list
from clients_register.handlers.rules import RULES, check_rule
from clients_register.spec.statuses import Stage, Status

# The stages whose rules have no side effects, so that they can be checked again.
REPEATABLE = (Stage.IDENTITY, Stage.PARAMS)

# Ignored parameters that a summary names.
MAX_IGNORED = 5

FORCED = {
    "prefer": "The header Prefer forced this status; no rule was checked.",
    "script": "The script of this world forced this status; no rule was checked.",
    "address": "The magic address in client.email forced this status; no rule was checked.",
}


async def explain_response(
    context: RequestContext | None,
    slug: str | None,
    forced: str | None,
    forwarded_to: str | None,
    misplaced: str | None,
) -> dict[str, Any]:
    """Returns the explanation as a JSON value.

    `slug` is None if the response is a problem, `context` if no rules were checked, and
    `forwarded_to` if the response is not that of an upstream; `misplaced` says where the route is,
    if the request was none to it. The next violation is determined by the present state of the
    world.
    """
    if forced is not None:
        return _explanation(FORCED[forced])
    if forwarded_to is not None:
        return _explanation(f"Forwarded to {forwarded_to}; no rule was checked here.")
    if slug is None:
        return _explanation("The stub reported a problem; see the response.")
    if context is None or context.route is None:
        before = "The request was answered before any rule of the route was checked."
        return _explanation(f"{before} {misplaced}" if misplaced else before)
    ignored = [
        path
        for path, _ in context.params.items()
        if path not in context.services.parameters.by_path
    ]
    rows = {rule: row for row in context.services.statuses.rows for rule in row.rules}
    severity = context.services.severity
    passed = [_describe(rule, rows[rule], severity) for rule in context.passed_rules]
    violated = context.violated_rule
    if violated is None:
        return _explanation("All rules passed.", passed, ignored=ignored)
    stopped = _describe(violated, rows[violated], severity, context.errors)
    summary = f"Stopped by {stopped['status']}: {_summarize(stopped)}"
    following = await _find_next(context, rows[violated])
    return _explanation(summary, passed, stopped, following, ignored)


def _explanation(
    summary: str,
    passed: Sequence[dict[str, Any]] = (),
    stopped: dict[str, Any] | None = None,
    following: dict[str, Any] | None = None,
    ignored: Sequence[str] = (),
) -> dict[str, Any]:
    if ignored:
        names = ", ".join(ignored[:MAX_IGNORED])
        more = f" and {len(ignored) - MAX_IGNORED} more" if len(ignored) > MAX_IGNORED else ""
        summary = f"{summary} Ignored, because the contract has no such parameters: {names}{more}."
    return {
        "summary": summary,
        "passed": [*passed],
        "stopped": stopped,
        "next": following,
        "ignored": [*ignored],
    }


def _describe(
    rule: str, row: Status, severity: Mapping[str, int], errors: Sequence[FieldError] = ()
) -> dict[str, Any]:
    function = RULES.get(rule)
    sentence = function.__doc__ if function else rule.replace("_", " ").capitalize() + "."
    shown = error_list(errors, severity) if "errors" in row.carries else []
    return {"fact": rule, "sentence": sentence, "status": row.slug, "errors": shown}


def _summarize(step: dict[str, Any]) -> str:
    if step["errors"]:
        return ", ".join(f"{each['attr']} is {each['message']}" for each in step["errors"]) + "."
    return f"violated rule: {step['sentence']}"


async def _find_next(context: RequestContext, stopped_by: Status) -> dict[str, Any] | None:
    """Describes the rule that would be violated next if the request violated no earlier one."""
    repeatable = [row for stage in REPEATABLE for row in context.services.statuses.in_stage(stage)]
    if stopped_by not in repeatable:
        return None
    copy = replace(context, errors=[], passed_rules=[], violated_rule=None)
    for row in repeatable[repeatable.index(stopped_by) + 1 :]:
        copy.errors = []
        violated = None
        for rule in row.rules:
            copy.errors += await check_rule(rule, copy)
            violated = violated or (rule if copy.errors else None)
        if violated is not None:
            return _describe(violated, row, context.services.severity, copy.errors)
    return None
