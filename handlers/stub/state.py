"""The state of a world besides its store: clock, script, faults, known tokens, logs.

It is kept in memory and ends with the process. No method awaits, except for `Notifier.wait_for`, so
each call is atomic.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from typing_extensions import override

from clients_register.handlers.models import Clock
from clients_register.handlers.sessions import token_digest
from clients_register.handlers.stub.faults import Faults
from clients_register.handlers.stub.problems import Problem
from clients_register.handlers.stub.traffic import Coverage, RequestLog

T = TypeVar("T")

# The range of a world's clock. Session times are computed from it and must remain valid dates.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


class WorldState:
    """Settings made by tests, and the records of what callers did.

    The clock and the faults are used by the services of the world, so they are changed and never
    replaced.
    """

    def __init__(self, system_clock: Clock, tokens: Iterable[str]) -> None:
        """`tokens` are those of the personas."""
        self._system_clock = system_clock
        self.clock = WorldClock(system_clock)
        self.tokens = KnownTokens(tokens)
        self.script = Script()
        self.faults = Faults()
        self.request_log = RequestLog()
        self.coverage = Coverage()

    def reset_settings(self) -> None:
        """Resets clock, script and faults; known tokens remain known."""
        self.clock.reset()
        self.script.items = []
        self.faults.set()

    def copy_settings(self) -> "WorldState":
        """Returns a copy, with an empty request log and coverage."""
        copy = WorldState(self._system_clock, ())
        copy.copy_from(self)
        return copy

    def copy_from(self, other: "WorldState") -> None:
        """Copies the settings of `other`, but not its request log and coverage."""
        self.clock.copy_from(other.clock)
        self.tokens.copy_from(other.tokens)
        self.script.copy_from(other.script)
        self.faults.set(**other.faults.to_dict())


class WorldClock(Clock):
    """A clock that can be set and frozen; otherwise it runs with the system clock."""

    def __init__(self, system_clock: Clock) -> None:
        self._system_clock = system_clock
        self._offset = timedelta()
        self._frozen_at: datetime | None = None
        self._is_set = False

    @override
    def now(self) -> datetime:
        return self._frozen_at or self._system_clock.now() + self._offset

    @property
    def is_frozen(self) -> bool:
        """Whether time is frozen."""
        return self._frozen_at is not None

    @property
    def ahead(self) -> timedelta:
        """How far this clock is ahead of the system clock."""
        return self.now() - self._system_clock.now()

    def set(self, moment: datetime) -> None:
        """Sets the time. Raises Problem if a clock that was set before would go back."""
        if self._is_set and moment < self.now():
            raise Problem(
                "time-goes-back",
                f"now: expected {self.now().isoformat()} or later, found {moment.isoformat()}",
                "DELETE the clock first: records stored since would be from the future",
                code=409,
            )
        self._move_to("now", moment)

    def advance(self, duration: timedelta) -> None:
        """Advances the time. Raises Problem if it would leave the supported range."""
        try:
            moment = self.now() + duration
        except OverflowError:
            moment = datetime.max.replace(tzinfo=UTC)
        self._move_to("advance", moment)

    def freeze(self, *, frozen: bool) -> None:
        """Freezes the time, or lets it run on."""
        now = self.now()
        self._frozen_at = now if frozen else None
        self._offset = now - self._system_clock.now()
        self._is_set = True

    def reset(self) -> None:
        """Returns to the system clock."""
        self._offset, self._frozen_at, self._is_set = timedelta(), None, False

    def copy_from(self, other: "WorldClock") -> None:
        """Shows the same time as `other`, which has the same system clock."""
        self._offset, self._frozen_at = other._offset, other._frozen_at
        self._is_set = other._is_set

    def _move_to(self, member: str, moment: datetime) -> None:
        if not EARLIEST <= moment <= LATEST:
            raise Problem(
                "unusable-time",
                f"{member}: expected a time from {EARLIEST.year} to {LATEST.year},"
                f" found {moment.isoformat()}",
                "Such as 2030-01-15T09:30:00Z",
            )
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        if self._frozen_at is not None:
            self._frozen_at = moment
        self._offset = moment - self._system_clock.now()
        self._is_set = True


def parse_duration(text: str) -> timedelta:
    """Parses an ISO 8601 duration in weeks to seconds.

    Raises Problem for any other text, and for durations longer than a timedelta.
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


def parse_moment(text: str) -> datetime:
    """Parses an ISO 8601 time with a time zone. Raises Problem."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Problem(
        "unusable-time",
        f"now: expected a time in ISO 8601 with a time zone, found {text!r}",
        "Such as 2030-01-15T09:30:00Z",
    )


@dataclass(slots=True)
class ScriptItem:
    """One step of a script: forces `slug`, or delays or breaks a response of the real rules.

    It applies after `after` unaffected responses and lasts for `times` responses; of these it
    affects the share `rate`, drawn by `seed`. `delay` is in seconds. `used` counts the responses.
    """

    slug: str | None = None
    times: int = 1
    after: int = 0
    delay: float = 0
    rate: float = 1
    seed: int = 0
    fault: str | None = None
    used: int = 0

    def draw(self) -> bool:
        """Whether the item affects the next response; reproducible for equal seeds."""
        self.used += 1
        if self.rate >= 1:
            return True
        # Seeded per response, so that a copied script continues with the same draws.
        return random.Random(f"{self.seed} {self.used}").random() < self.rate  # noqa: S311

    def effects(self) -> dict[str, Any]:
        """Returns as a JSON value what the item does to a response."""
        return {"slug": self.slug, "delay": self.delay, "fault": self.fault}

    def to_dict(self) -> dict[str, Any]:
        """Returns what is left of the item as a JSON value."""
        names = ("slug", "times", "used", "after", "delay", "rate", "seed", "fault")
        return {name: getattr(self, name) for name in names}


class Script:
    """The scripted responses of a world, consumed in order."""

    def __init__(self) -> None:
        self.items: list[ScriptItem] = []

    def next(self) -> ScriptItem | None:
        """Consumes the script for one response; returns the item that affects it, if any."""
        if not self.items:
            return None
        item = self.items[0]
        if item.after > 0:
            item.after -= 1
            return None
        item.times -= 1
        if item.times <= 0:
            self.items.pop(0)
        return item if item.draw() else None

    def copy_from(self, other: "Script") -> None:
        """Copies the items of `other`."""
        self.items = [replace(item) for item in other.items]


class KnownTokens:
    """Tokens of personas and of the control plane, by digest.

    The store only has digests; this is how the control plane can show tokens.
    """

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        self._tokens = {token_digest(token): token for token in tokens}

    def add(self, token: str) -> str:
        """Adds `token`, and returns its digest."""
        digest = token_digest(token)
        self._tokens[digest] = token
        return digest

    def find(self, digest: str) -> str | None:
        """Returns the token with that digest, if known."""
        return self._tokens.get(digest)

    def copy_from(self, other: "KnownTokens") -> None:
        """Copies the tokens of `other`."""
        self._tokens = {**other._tokens}


class Notifier:
    """Wakes waiting requests when something changes, so that tests need not poll."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()
        self._closed = False

    def notify(self) -> None:
        """Wakes all waiters, so that they check again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    @property
    def is_closed(self) -> bool:
        """Whether nothing will change any more."""
        return self._closed

    def close(self) -> None:
        """Wakes all waiters for good: nothing will change any more."""
        self._closed = True
        self.notify()

    async def wait_for(self, find: Callable[[], Awaitable[T]], seconds: float) -> T:
        """Returns what `find` returns, as soon as it is truthy.

        After `seconds`, or once closed, it may be falsy.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            # Registered before the check, so that no change in between is missed.
            waiter = loop.create_future()
            self._waiters.add(waiter)
            try:
                found = await find()
                remaining = deadline - loop.time()
                if found or remaining <= 0 or self._closed:
                    return found
                await asyncio.wait([waiter], timeout=remaining)
            finally:
                self._waiters.discard(waiter)
