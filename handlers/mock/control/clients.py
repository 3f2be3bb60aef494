"""The people of a world."""

from typing import Any

from clients_register.handlers.emails import key_of, trimmed
from clients_register.handlers.mock.control.calls import Call
from clients_register.handlers.mock.problems import Problem, suggestion
from clients_register.handlers.records import User
from clients_register.handlers.views import client_view

FULL_VIEW = "client_read"


async def read(call: Call) -> list[dict[str, Any]]:
    """See the operation."""
    services = await call.world.services()
    users = await services.store.users()
    if "email" in call.query:
        key = key_of(trimmed(call.query["email"]))
        users = [user for user in users if user.email_key == key]
    return [_shown(call, user, services.views) for user in users]


async def write(call: Call) -> list[dict[str, Any]]:
    """See the operation. Raises Problem where there is no such persona."""
    personas = call.world.personas
    name = call.path["persona"]
    if name not in personas:
        raise Problem(
            "no-such-persona", f"no persona is called {name!r}", suggestion(name, [*personas]), 404
        )
    await call.world.restore_persona(name)
    user = await (await call.world.services()).store.user(personas[name]["id"])
    assert user is not None, "it was just put there"
    return [_shown(call, user, (await call.world.services()).views)]


async def restore(call: Call) -> list[dict[str, Any]]:
    """See the operation."""
    await call.world.restore_people()
    return await read(call)


def _shown(call: Call, user: User, views: Any) -> dict[str, Any]:
    persona = next((entry for entry in call.world.personas.values() if entry["id"] == user.id), {})
    return {
        "user_id": user.id,
        "email": user.email,
        "persona": persona.get("persona"),
        "password": persona.get("password"),
        "roles": sorted(user.roles),
        "client": client_view(views, FULL_VIEW, user) if user.client else None,
    }
