"""The time of a world."""

from datetime import UTC, datetime
from typing import Any

from clients_register.handlers.clock import written
from clients_register.handlers.mock.clock import WorldClock, duration
from clients_register.handlers.mock.control.calls import Call
from clients_register.handlers.mock.problems import Problem


async def read(call: Call) -> dict[str, Any]:
    """See the operation."""
    return _shown(call.world.state.clock)


async def write(call: Call) -> dict[str, Any]:
    """See the operation. Raises Problem."""
    # Times of personas count back from when the world begins, not from where its clock is moved.
    await call.world.services()
    asked, clock = call.body, call.world.state.clock
    if "now" in asked:
        clock.set(_moment(asked["now"]))
    if "advance" in asked:
        clock.advance(duration(asked["advance"]))
    if "frozen" in asked:
        clock.freeze(frozen=asked["frozen"])
    return await read(call)


async def restore(call: Call) -> dict[str, Any]:
    """See the operation."""
    call.world.state.clock.restore()
    return await read(call)


def _shown(clock: WorldClock) -> dict[str, Any]:
    return {
        "now": written(clock.now()),
        "frozen": clock.frozen,
        "ahead": round(clock.ahead.total_seconds(), 3),
    }


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Problem(
        "unusable-time",
        f"now: expected a time in ISO 8601 with a zone, found {text!r}",
        "Such as 2030-01-15T09:30:00Z",
    )
