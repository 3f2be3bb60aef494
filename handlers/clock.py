"""The one owner of time. No other module asks the system what time it is."""

import re
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The present moment: UTC, in whole milliseconds, as it is stored and shown."""
        ...


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """See `Clock.now`."""
        # Half of what `replace` takes, which each request would pay for.
        return datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC)


# A registration shows one moment in eight places, and its answer lasts less than a millisecond.
@lru_cache(maxsize=16)
def written(moment: datetime) -> str:
    """`moment` (UTC) as answers and files show it: 2026-01-15T09:30:00.000Z."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def read(text: str) -> datetime:
    """The moment that `written` wrote. Raises ValueError where it did not."""
    if _WRITTEN.fullmatch(text):
        # A store has a million of them to read when it opens, and strptime takes ten times as long.
        return datetime.fromisoformat(text)
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


# Some versions of fromisoformat know an hour 24, which strptime does not.
_WRITTEN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"
)
