"""The journal of a world."""

from collections.abc import Sequence
from typing import Any

from clients_register.handlers.mock.control.calls import NOTHING, Call, Shown
from clients_register.handlers.mock.journal import Entry
from clients_register.handlers.mock.problems import Problem, suggestion
from clients_register.handlers.mock.showing import shown


async def read(call: Call) -> list[dict[str, Any]]:
    """See the operation. Raises Problem where there is no such status."""
    known = call.desk.catalogue.slugs
    if call.query.get("status") not in (None, *known):
        raise Problem(
            "unknown-status",
            f"status: no status is called {call.query['status']!r}",
            suggestion(call.query["status"], known),
        )

    after, status = call.query.get("after", 0), call.query.get("status")

    async def fitting() -> Sequence[Entry]:
        return [
            entry
            for entry in call.world.state.journal
            if entry.number > after and status in (None, entry.slug)
        ]

    entries = await call.world.news.until(fitting, call.query["wait"])
    return [await shown(entry) for entry in entries]


async def one(call: Call) -> dict[str, Any]:
    """See the operation. Raises Problem where the journal has no such request."""
    entry = call.world.state.journal.entry(call.path["id"])
    if entry is None:
        raise Problem(
            "no-such-request",
            f"the journal of the world {call.world.name!r} has no request {call.path['id']!r}",
            "The id is the X-Request-Id of an answer; the journal keeps the newest ones only",
            404,
        )
    return await shown(entry)


async def restore(call: Call) -> Shown:
    """See the operation."""
    call.world.state.journal.clear()
    return NOTHING
