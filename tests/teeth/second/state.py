"""All that the server remembers, in memory: people, sessions, mails, its clock and its faults."""

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from threading import RLock
from typing import Any

from teeth.second.envelope import timestamp

AGE_LIMIT = timedelta(days=7)
IDLE_LIMIT = timedelta(hours=72)


class Fault(StrEnum):
    """Faults that can be set; the values are the names of states of the hook."""

    SERVICE_UNDEPLOYED = "service-undeployed"
    ROUTE_UNDEPLOYED = "route-undeployed"
    CRASH_BEFORE_ROUTING = "crash-before-routing"
    CRASH_IN_HANDLER = "crash-in-handler"
    MAIL_FAILING = "mail-failing"


class PlantedError(RuntimeError):
    """The unforeseen error that `Fault.CRASH_IN_HANDLER` foresees."""


class Clock:
    """The time in UTC and whole milliseconds; it can be stopped and moved forward."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._stopped: datetime | None = None

    def now(self) -> datetime:
        """The present moment."""
        moment = self._stopped or datetime.now(UTC) + self._ahead
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def stop(self) -> None:
        """Freezes the time."""
        self._stopped = self.now()

    def advance(self, step: timedelta) -> None:
        """Moves the present; a stopped clock stays stopped."""
        if self._stopped is None:
            self._ahead += step
        else:
            self._stopped += step


@dataclass(frozen=True)
class Password:
    """The stored form of a password."""

    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, plain: str) -> "Password":
        """Hashes `plain`, cheaply: nothing here outlives a test run."""
        salt = secrets.token_bytes(16)
        return cls(salt, _scrypt(plain, salt))

    def matches(self, plain: str) -> bool:
        """Whether `plain` is the password."""
        return secrets.compare_digest(self.digest, _scrypt(plain, self.salt))


@dataclass
class User:
    """A person. `staff` says whether they are a liaison or an employee."""

    id: int
    email: str
    password: Password | None
    staff: bool
    client: Mapping[str, Any] | None = None


@dataclass
class Session:
    """A login."""

    user: User
    application: str
    created_at: datetime
    last_used_at: datetime
    remembered: bool

    def is_live(self, now: datetime) -> bool:
        """Whether neither limit is passed at `now`; exactly at a limit it still is."""
        young = now - self.created_at <= AGE_LIMIT and now - self.last_used_at <= IDLE_LIMIT
        return young or self.remembered

    def whole(self, token: str) -> dict[str, Any]:
        """Every key that a view may show of it."""
        ends = min(self.created_at + AGE_LIMIT, self.last_used_at + IDLE_LIMIT)
        return {
            "token": token,
            "user_id": self.user.id,
            "application": self.application,
            "remember_me": self.remembered,
            "created_at": timestamp(self.created_at),
            "last_used_at": timestamp(self.last_used_at),
            "expires_at": None if self.remembered else timestamp(ends),
        }


class State:
    """The state of the process. Hold `lock` to read or write it."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.clock = Clock()
        self.faults: set[Fault] = set()
        self.mails: dict[str, list[str]] = defaultdict(list)
        self._users: dict[str, User] = {}
        self._sessions: dict[str, Session] = {}
        self._application_tokens: set[str] = set()
        self._last_id = 1 << 40

    def user(self, email: str) -> User | None:
        """The user of an address, in whatever ASCII letter case."""
        return self._users.get(key_of(email))

    def add_user(self, email: str, password: str | None, *, staff: bool = False) -> User:
        """Adds a user with a free address."""
        # Numbers have gaps, as those of a store that several routes write to.
        self._last_id += 1 + secrets.randbelow(1000)
        hashed = None if password is None else Password.of(password)
        user = User(self._last_id, email, hashed, staff)
        self._users[key_of(email)] = user
        return user

    def open_session(
        self,
        user: User,
        application: str,
        *,
        age: timedelta = timedelta(),
        unused: timedelta = timedelta(),
        remembered: bool = False,
    ) -> tuple[str, Session]:
        """A session that was made `age` ago and used `unused` ago, and its token."""
        token, now = secrets.token_hex(48), self.clock.now()
        session = Session(user, application, now - age, now - unused, remembered)
        self._sessions[_fingerprint(token)] = session
        return token, session

    def session(self, token: str) -> Session | None:
        """The session of a token, live or not."""
        return self._sessions.get(_fingerprint(token))

    def add_application_token(self) -> str:
        """A token of an application."""
        token = secrets.token_hex(48)
        self._application_tokens.add(_fingerprint(token))
        return token

    def is_application_token(self, token: str) -> bool:
        """Whether `token` is that of an application."""
        return _fingerprint(token) in self._application_tokens

    def restore(self) -> None:
        """Makes everything whole again: no faults, the real time. People and sessions stay."""
        self.faults.clear()
        self.clock = Clock()


def key_of(email: str) -> str:
    """Returns the key that addresses are compared by: ASCII letter case is ignored."""
    return "".join(sign.lower() if sign.isascii() else sign for sign in email)


def _fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _scrypt(plain: str, salt: bytes) -> bytes:
    return hashlib.scrypt(plain.encode(), salt=salt, n=16, r=8, p=1)
