"""The one owner of time. No other module asks the system what time it is."""

from datetime import UTC, datetime
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
        present = datetime.now(UTC)
        return present.replace(microsecond=present.microsecond // 1000 * 1000)


def written(moment: datetime) -> str:
    """`moment` (UTC) as answers and files show it: 2026-01-15T09:30:00.000Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def read(text: str) -> datetime:
    """The moment that `written` wrote. Raises ValueError where it did not."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
