"""The worlds of the stub."""

from typing import Any

from clients_register.handlers.mock.control.calls import NOTHING, Call, Shown


async def read(call: Call) -> list[dict[str, Any]]:
    """See the operation."""
    worlds = call.desk.worlds
    there, clients = await worlds.all(), await worlds.clients()
    return [
        {
            "name": world.name,
            "base": world.base,
            "clients": clients.get(world.name) if use.opened else None,
            "requests": use.requests,
            "idle_seconds": round(use.idle, 1),
        }
        for world, use in there.items()
    ]


async def write(call: Call) -> list[dict[str, Any]]:
    """See the operation. Raises Problem where a name is no name, and makes no world then."""
    worlds = call.desk.worlds
    source = await worlds.existing(call.body["copy"]) if "copy" in call.body else None
    world = await worlds.named(call.path["name"])
    await world.refresh()
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
    await call.world.reset()
    return NOTHING
