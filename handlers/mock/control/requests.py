"""The journal of a world."""

from typing import Any

from clients_register.handlers.clock import written
from clients_register.handlers.mock.control.calls import NOTHING, Call, Shown
from clients_register.handlers.mock.explanation import explanation
from clients_register.handlers.mock.journal import Entry
from clients_register.handlers.mock.problems import Problem, suggestion
from clients_register.handlers.mock.redaction import redacted


async def read(call: Call) -> list[dict[str, Any]]:
    """See the operation. Raises Problem where there is no such status."""
    journal = call.world.journal
    known = call.desk.catalogue.slugs
    if call.query.get("status") not in (None, *known):
        raise Problem(
            "unknown-status",
            f"status: no status is called {call.query['status']!r}",
            suggestion(call.query["status"], known),
        )

    async def fitting() -> list[Entry]:
        return [
            entry
            for entry in journal
            if entry.number > call.query.get("after", 0)
            and call.query.get("status", entry.slug) == entry.slug
        ]

    return [await _shown(entry) for entry in await journal.news.until(fitting, call.query["wait"])]


async def one(call: Call) -> dict[str, Any]:
    """See the operation. Raises Problem where the journal has no such request."""
    entry = call.world.journal.entry(call.path["id"])
    if entry is None:
        raise Problem(
            "no-such-request",
            f"the journal of the world {call.world.name!r} has no request {call.path['id']!r}",
            "The id is the X-Request-Id of an answer; the journal keeps the newest ones only",
            404,
        )
    return await _shown(entry)


async def restore(call: Call) -> Shown:
    """See the operation."""
    call.world.journal.clear()
    return NOTHING


async def _shown(entry: Entry) -> dict[str, Any]:
    value = entry.request.content.value if entry.request else None
    return {
        "number": entry.number,
        "id": entry.id,
        "at": written(entry.at),
        "milliseconds": round(entry.milliseconds, 3),
        "method": entry.method,
        "path": entry.path,
        "code": entry.code,
        "status": entry.slug,
        "forced": entry.forced,
        "fault": entry.fault,
        "params": redacted(value) if isinstance(value, dict) else None,
        "answer": redacted(dict(entry.envelope or {})),
        "explanation": await explanation(entry),
    }
