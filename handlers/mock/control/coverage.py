"""Which statuses were met."""

from clients_register.handlers.mock.control.calls import NOTHING, Call, Shown
from clients_register.handlers.mock.coverage import ALL, report, required


async def read(call: Call) -> Shown:
    """See the operation. Raises Problem where an unknown status is required."""
    statuses = call.desk.catalogue
    asked = call.query.get("require")
    found = report(
        call.desk.worlds.met(call.world),
        statuses,
        required(asked if asked is not None else ALL, statuses),
        natural=call.query["natural"],
    )
    return Shown(409 if asked is not None and found["missing"] else 200, found)


async def restore(call: Call) -> Shown:
    """See the operation."""
    call.desk.worlds.forget_met(call.world)
    return NOTHING
