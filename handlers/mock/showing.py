"""An entry of the journal as people are shown it: explained, and without what was secret."""

from typing import Any

from clients_register.handlers.clock import written
from clients_register.handlers.mock.explanation import explanation
from clients_register.handlers.mock.journal import Entry
from clients_register.handlers.mock.redaction import redacted


async def shown(entry: Entry) -> dict[str, Any]:
    """`entry` as a value of JSON. What would come next is judged by what the world holds now."""
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
