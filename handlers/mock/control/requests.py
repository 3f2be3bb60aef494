"""The journal of a world."""

from collections.abc import Mapping, Sequence
from typing import Any

from clients_register.handlers.mock.control.calls import NOTHING, Call, Shown
from clients_register.handlers.mock.problems import Problem, suggestion


async def read(call: Call) -> Sequence[Mapping[str, Any]]:
    """See the operation. Raises Problem where there is no such status."""
    known = call.desk.catalogue.slugs
    if call.query.get("status") not in (None, *known):
        raise Problem(
            "unknown-status",
            f"status: no status is called {call.query['status']!r}",
            suggestion(call.query["status"], known),
        )

    async def fitting() -> Sequence[Mapping[str, Any]]:
        return await call.world.state.requests(call.query.get("after", 0), call.query.get("status"))

    return await call.world.news.until(fitting, call.query["wait"])


async def one(call: Call) -> Mapping[str, Any]:
    """See the operation. Raises Problem where the journal has no such request."""
    entry = await call.world.state.request(call.path["id"])
    if entry is None:
        raise Problem(
            "no-such-request",
            f"the journal of the world {call.world.name!r} has no request {call.path['id']!r}",
            "The id is the X-Request-Id of an answer; the journal keeps the newest ones only",
            404,
        )
    return entry


async def restore(call: Call) -> Shown:
    """See the operation."""
    await call.world.state.forget_requests()
    return NOTHING
