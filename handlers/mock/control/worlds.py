"""The worlds of the stub."""

from typing import Any

from clients_register.handlers.mock.control.calls import NOTHING, Call, Shown


async def read(call: Call) -> list[dict[str, Any]]:
    """See the operation."""
    return [
        {
            "name": world.name,
            "base": world.base,
            "clients": await world.count_clients(),
            "requests": world.state.journal.count,
            "idle_seconds": round(world.idle, 1),
        }
        for world in call.desk.worlds.all()
    ]


async def write(call: Call) -> list[dict[str, Any]]:
    """See the operation. Raises Problem where a name is no name, and makes no world then."""
    worlds = call.desk.worlds
    source = worlds.existing(call.body["copy"]) if "copy" in call.body else None
    world = worlds.named(call.path["name"])
    if source is not None and source is not world:
        with world.used(), source.used():
            await world.copy_from(source)
    return await read(call)


async def remove(call: Call) -> list[dict[str, Any]]:
    """See the operation. Raises Problem where there is no such world, or it must stay."""
    await call.desk.worlds.remove(call.path["name"], call.world)
    return await read(call)


async def reset(call: Call) -> Shown:
    """See the operation."""
    await call.desk.worlds.reset(call.world)
    return NOTHING
