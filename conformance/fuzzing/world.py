"""What the oracle knows of a target: who is there, what is known, what is broken; and faults."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from clients_register.conformance.fuzzing import addresses
from clients_register.conformance.verdicts import Grade

# The limits of a session (R-SESSION-AGE, R-SESSION-IDLE); exactly at one it is valid.
MAX_AGE = timedelta(days=7)
MAX_IDLE = timedelta(hours=72)


@dataclass(frozen=True)
class Fault:
    """A fact of `x-statuses` that does not hold.

    `attr` and `message` are its entry in `errors`, where its status lists any. `grade` is the
    evidence that it is a fault at all; a `doubtful` one some right servers see and others do not.
    """

    fact: str
    attr: str | None = None
    message: str | None = None
    grade: Grade = Grade.DECIDED
    doubtful: bool = False


@dataclass
class Person:
    """A user. `password` is None where they have none, or where it is not known here."""

    email: str
    password: str | None = None
    client: bool = False
    staff: bool = False

    @property
    def has_a_role(self) -> bool:
        """Whether there is a client, employee or liaison record."""
        return self.client or self.staff


@dataclass
class Session:
    """A login. Times are those of the world's clock, since the model began."""

    person: Person
    application: str
    created: timedelta
    used: timedelta
    remembered: bool = False

    def live(self, now: timedelta) -> bool:
        """Whether it is within its limits."""
        return self.remembered or (now - self.created <= MAX_AGE and now - self.used <= MAX_IDLE)


@dataclass
class World:
    """One isolated state of a target.

    `maybe` are names and numbers of which it is not known whether the target knows them. `broken`
    are facts that are made not to hold, whatever is sent; `mail_failures` how many mails fail next;
    `mails` how many were sent, by the key of their address.
    """

    applications: Mapping[str, str | None]
    companies: frozenset[int]
    maybe: frozenset[Any] = frozenset()
    people: dict[str, Person] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    application_tokens: frozenset[str] = frozenset()
    now: timedelta = timedelta()
    broken: set[str] = field(default_factory=set)
    mail_failures: int = 0
    mails: Counter[str] = field(default_factory=Counter)
    _loose: set[str] = field(default_factory=set)

    def owner(self, email: str) -> Person | None:
        """Who has the (trimmed) address for certain."""
        return self.people.get(addresses.key(email))

    def maybe_owned(self, email: str) -> bool:
        """Whether the address may be somebody's, to a server that folds more than ASCII."""
        return addresses.loose_key(email) in self._loose

    def add(self, person: Person) -> None:
        """Adds a user, in place of the one with that address."""
        self.people[addresses.key(person.email)] = person
        self._loose.add(addresses.loose_key(person.email))
