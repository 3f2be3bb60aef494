"""Whether the stub is ready, and what it stands for."""

from hashlib import sha256
from typing import Any

from clients_register import __version__, spec
from clients_register.handlers.mock.control.calls import Call


async def read(call: Call) -> dict[str, Any]:
    """See the operation."""
    return {
        "ready": True,
        "version": __version__,
        "world": call.world.name,
        "route": call.world.base + call.desk.route,
        "contract": {
            "version": spec.load("openapi")["info"]["version"],
            "sha256": sha256(spec.text("openapi").encode()).hexdigest(),
        },
    }
