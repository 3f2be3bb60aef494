"""The script of a world: its next answers."""

from typing import Any

from clients_register.handlers.mock.control.calls import Call
from clients_register.handlers.mock.problems import Problem, suggestion
from clients_register.handlers.mock.script import Item


async def read(call: Call) -> list[dict[str, Any]]:
    """See the operation."""
    return [item.shown() for item in call.world.state.script.items]


async def write(call: Call) -> list[dict[str, Any]]:
    """See the operation. Raises Problem where a slug is unknown, and leaves the script then."""
    items = [Item(slug=each) if isinstance(each, str) else Item(**each) for each in call.body]
    for place, item in enumerate(items):
        if item.slug is not None and item.slug not in call.desk.examples:
            raise Problem(
                "unknown-status",
                f"item {place}: no status is called {item.slug!r}",
                suggestion(item.slug, call.desk.examples),
            )
    call.world.state.script.items = items
    return await read(call)


async def restore(call: Call) -> list[dict[str, Any]]:
    """See the operation."""
    call.world.state.script.items = []
    return []
