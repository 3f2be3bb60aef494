"""The source of time, and the text format of times. No other module reads the system clock."""

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

from typing_extensions import override


class Clock(Protocol):
    """A source of the current time."""

    def now(self) -> datetime:
        """Returns the current time: UTC, in whole milliseconds."""
        ...


class SystemClock(Clock):
    """The system clock."""

    @override
    def now(self) -> datetime:
        # Twice as fast as truncating with `replace`.
        return datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC)


# One registration formats the same moment eight times.
@lru_cache(maxsize=16)
def format_time(moment: datetime) -> str:
    """Formats `moment` (UTC) as in responses and files: 2026-01-15T09:30:00.000Z."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
