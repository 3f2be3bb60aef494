"""Every status, its example, and how to have it."""

from typing import Any

from clients_register.handlers.mock.control.calls import Call
from clients_register.handlers.mock.faults import BEFORE_ROUTING, IN_HANDLER

# The states that golden exchanges name, as faults of a world. A world is seeded with personas
# anyway; what is missing here is a setting of the server.
FAULTS: dict[str, dict[str, Any]] = {
    "personas": {},
    "service-not-deployed": {"service_deployed": False},
    "route-not-deployed": {"route_deployed": False},
    "crash-before-routing": {"crash": BEFORE_ROUTING},
    "crash-in-handler": {"crash": IN_HANDLER},
    "mail-failing": {"mail_failures": 1},
}


async def read(call: Call) -> list[dict[str, Any]]:
    """See the operation."""
    return [
        {
            "slug": row.slug,
            "code": row.code,
            "stage": row.stage,
            "uncommon": row.uncommon,
            "meaning": row.meaning,
            "evidence": row.evidence,
            "alias_of": row.alias_of,
            "example": call.desk.examples[row.slug].envelope,
            "address": call.desk.addresses.of(row.slug),
            "request": call.desk.exchanges[row.slug]["request"],
            "arrange": _faults(call.desk.exchanges[row.slug]["arrangement"]),
        }
        for row in call.desk.catalogue
    ]


def _faults(states: list[str]) -> dict[str, Any] | None:
    if not all(state in FAULTS for state in states):
        return None
    switches: dict[str, Any] = {}
    for state in states:
        switches |= FAULTS[state]
    return switches
