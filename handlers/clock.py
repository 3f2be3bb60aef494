"""The source of time, and the text format of times. No other module reads the system clock."""

import re
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


def parse_time(text: str) -> datetime:
    """Parses the format of `format_time`. Raises ValueError for any other."""
    if _TIME.fullmatch(text):
        # Ten times as fast as strptime, which matters when opening a store of a million records.
        return datetime.fromisoformat(text)
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


# Excludes hour 24, which some versions of fromisoformat accept.
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
