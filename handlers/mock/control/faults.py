"""What is broken in a world."""

from typing import Any

from clients_register.handlers.mock.control.calls import Call


async def read(call: Call) -> dict[str, Any]:
    """See the operation."""
    return call.world.state.faults.shown()


async def write(call: Call) -> dict[str, Any]:
    """See the operation."""
    call.world.state.faults.set(**call.body)
    return await read(call)


async def restore(call: Call) -> dict[str, Any]:
    """See the operation."""
    call.world.state.faults.set()
    return await read(call)
