"""The clock of a world: this machine's, moved or stopped."""

import re
from datetime import UTC, datetime, timedelta

from clients_register.handlers.clock import Clock
from clients_register.handlers.mock.problems import Problem

# What a clock can show: sessions count back from it and on from it, and must stay in the calendar.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


class WorldClock:
    """See `Clock`. It ticks with the clock behind it unless it is frozen."""

    def __init__(self, behind: Clock) -> None:
        self._behind = behind
        self._ahead = timedelta()
        self._frozen_at: datetime | None = None
        self._is_set = False

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._frozen_at or self._behind.now() + self._ahead

    @property
    def frozen(self) -> bool:
        """Whether the time stands still."""
        return self._frozen_at is not None

    @property
    def ahead(self) -> timedelta:
        """How far ahead of the clock behind it this one is at the moment."""
        return self.now() - self._behind.now()

    def set(self, moment: datetime) -> None:
        """Makes it `moment`. Raises Problem where set time would go back, or to no such time."""
        if self._is_set and moment < self.now():
            raise Problem(
                "time-goes-back",
                f"now: expected {self.now().isoformat()} or later, found {moment.isoformat()}",
                "DELETE the clock first: what was stored meanwhile would lie in the future",
                code=409,
            )
        self._move("now", moment)

    def advance(self, duration: timedelta) -> None:
        """Moves the time on. Raises Problem where it would leave what a clock can show."""
        try:
            moment = self.now() + duration
        except OverflowError:
            moment = datetime.max.replace(tzinfo=UTC)
        self._move("advance", moment)

    def freeze(self, *, frozen: bool) -> None:
        """Stops the time, or lets it tick on from where it stands."""
        present = self.now()
        self._frozen_at = present if frozen else None
        self._ahead = present - self._behind.now()
        self._is_set = True

    def restore(self) -> None:
        """Back to the clock behind it."""
        self._ahead, self._frozen_at, self._is_set = timedelta(), None, False

    def copy_from(self, other: "WorldClock") -> None:
        """Shows the same time as `other` from now on; both follow the same clock."""
        self._ahead, self._frozen_at = other._ahead, other._frozen_at
        self._is_set = other._is_set

    def _move(self, what: str, moment: datetime) -> None:
        if not EARLIEST <= moment <= LATEST:
            raise Problem(
                "unusable-time",
                f"{what}: expected a time from {EARLIEST.year} to {LATEST.year},"
                f" found {moment.isoformat()}",
                "Such as 2030-01-15T09:30:00Z",
            )
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        if self._frozen_at is not None:
            self._frozen_at = moment
        self._ahead = moment - self._behind.now()
        self._is_set = True


def duration(text: str) -> timedelta:
    """The ISO 8601 duration that `text` is, in weeks to seconds.

    Raises Problem where it is none, or longer than a calendar.
    """
    found = _DURATION.fullmatch(text)
    parts = {} if found is None else {k: float(v) for k, v in found.groupdict().items() if v}
    try:
        if parts:
            return timedelta(**parts)
    except OverflowError:
        pass
    raise Problem(
        "unusable-duration",
        f"advance: expected an ISO 8601 duration in weeks to seconds, found {text!r}",
        "Such as P7D, PT72H or PT1S",
    )
