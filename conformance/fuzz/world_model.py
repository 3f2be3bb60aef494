"""A model of a target: its users, sessions and faults, and what a response changes in them."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from importlib.resources import files
from typing import Any

from clients_register import spec
from clients_register.conformance.target import Target

# The limits of a session (R-SESSION-AGE, R-SESSION-IDLE); it is still valid exactly at a limit.
MAX_AGE = timedelta(days=7)
MAX_IDLE = timedelta(hours=72)

# An id that no server has given to a company, as far as the suite assumes. Another server than our
# stub may have given any lower one.
UNKNOWN_COMPANY = 999_999_999

# How far beyond a limit an expired session is, and the age of a live one.
MARGIN = timedelta(hours=1)

# The white space that is trimmed; a string of nothing else counts as blank.
WHITE_SPACE = "\t\n\v\f\r "

# Octets of a local part (RFC 5321, section 4.5.3.1.1).
MAX_LOCAL_PART = 64

_ATOM = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@((?:{_LABEL}\.)+([A-Za-z]{{2,63}}))")

# Reserved names (RFC 6761, RFC 7686 and others), which servers treat differently.
_RESERVED = frozenset(
    {"alt", "arpa", "example", "home", "internal", "invalid", "local", "localhost", "onion"}
)
_EXAMPLE_DOMAINS = frozenset({("example", "com"), ("example", "net"), ("example", "org")})


class AddressForm(Enum):
    """Whether an e-mail address is well-formed."""

    VALID = "every server accepts it"
    MALFORMED = "every server refuses it"
    OPEN = "servers differ"


def trim(address: str) -> str:
    """Returns an address as it is stored and returned."""
    return address.strip(WHITE_SPACE)


def classify_address(address: str) -> AddressForm:
    """Classifies a trimmed address, regardless of its total length."""
    if '"' in address:
        return AddressForm.OPEN
    local, _, domain = address.partition("@")
    if address.count("@") != 1 or not local or not domain or " " in address:
        return AddressForm.MALFORMED
    plain = _PLAIN_ADDRESS.fullmatch(address)
    if plain is None or len(plain[1]) > MAX_LOCAL_PART:
        return AddressForm.OPEN
    labels = plain[2].lower().split(".")
    reserved = labels[-1] in _RESERVED or tuple(labels[-2:]) in _EXAMPLE_DOMAINS
    if reserved or any(each[2:4] == "--" for each in labels):
        return AddressForm.OPEN
    return AddressForm.VALID


def address_key(address: str) -> str:
    """Returns a key that is equal for trimmed addresses that are the same to every server."""
    return "".join(sign.lower() if sign.isascii() else sign for sign in address)


def loose_address_key(address: str) -> str:
    """Returns a key that is equal for addresses that are the same to some servers."""
    local, at, domain = unicodedata.normalize("NFKC", address).casefold().rpartition("@")
    with suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return local + at + domain


@dataclass
class UserModel:
    """A user. `password` is None if they have none, or if it is unknown here.

    `mail_failed`: they are a client whose welcome mail could not be sent.
    """

    email: str
    password: str | None = None
    client: bool = False
    staff: bool = False
    mail_failed: bool = False

    @property
    def has_a_role(self) -> bool:
        """Whether there is a client, employee or liaison record."""
        return self.client or self.staff


@dataclass
class SessionModel:
    """A login. Times are on the clock of the model, which starts at zero.

    `used_by_success` is its last use that was not refused, by default the last one.
    """

    user: UserModel
    application: str
    created: timedelta
    used: timedelta
    remembered: bool = False
    used_by_success: timedelta = field(init=False)

    def __post_init__(self) -> None:
        self.used_by_success = self.used

    def is_live(self, now: timedelta) -> bool:
        """Tells whether it is within its limits."""
        return self.remembered or (now - self.created <= MAX_AGE and now - self.used <= MAX_IDLE)


@dataclass
class WorldModel:
    """The state of a target, or of one world of it.

    `possibly_known` has applications that the target may or may not know, and `has_other_companies`
    says that it may know further companies. `unstated_applications` are those of our fixtures that
    the profile does not name. `broken` are rules that are violated whatever is sent,
    and `mail_failures` is how many mails fail next. `mails` has the recipients of all mails, as
    written, by address key.
    """

    applications: Mapping[str, str | None]
    companies: frozenset[int]
    possibly_known: frozenset[str] = frozenset()
    unstated_applications: frozenset[str] = frozenset()
    has_other_companies: bool = False
    users: dict[str, UserModel] = field(default_factory=dict)
    sessions: dict[str, SessionModel] = field(default_factory=dict)
    application_tokens: frozenset[str] = frozenset()
    now: timedelta = timedelta()
    broken: set[str] = field(default_factory=set)
    mail_failures: int = 0
    mails: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _loose_keys: set[str] = field(default_factory=set)

    def may_know_company(self, number: int) -> bool:
        """Tells whether `number` may belong to a company, or certainly does."""
        others = self.has_other_companies and 0 < number < UNKNOWN_COMPANY
        return number in self.companies or others

    def find_user(self, email: str) -> UserModel | None:
        """Returns the user who certainly has this (trimmed) address."""
        return self.users.get(address_key(email))

    def may_be_taken(self, email: str) -> bool:
        """Tells whether a server that folds more than ASCII may find the address taken."""
        return loose_address_key(email) in self._loose_keys

    def add_user(self, user: UserModel) -> None:
        """Adds a user, replacing one with the same address."""
        self.users[address_key(user.email)] = user
        self._loose_keys.add(loose_address_key(user.email))

    def make_client(self, email: str, password: str | None) -> UserModel:
        """Makes the user with this address a client.

        An existing user keeps their password (Q-EXISTING-USER).
        """
        user = self.find_user(email)
        if user is None:
            user = UserModel(email, password)
            self.add_user(user)
        user.client = True
        return user

    def arrange(self, state: str, values: Mapping[str, Any]) -> None:
        """Applies a state that was arranged on the target, with the resulting values."""
        if state == "application-token":
            self.application_tokens |= {values["token"]}
        if state not in PEOPLE:
            return
        person = PEOPLE[state]
        email, password = values["user.email"], values.get("user.password")
        user = UserModel(email, password, person.client, person.staff)
        # The previous user with this address is gone, with their sessions.
        before = self.find_user(email)
        self.sessions = {
            token: session for token, session in self.sessions.items() if session.user is not before
        }
        self.add_user(user)
        if person.age is not None:
            created, used = self.now - person.age, self.now - person.idle
            session = SessionModel(user, "", created, used, person.remembered)
            self.sessions[values["token"]] = session


@dataclass(frozen=True)
class PersonState:
    """The user that a state creates, with the age and idle time of their session, if any."""

    client: bool = False
    staff: bool = False
    age: timedelta | None = None
    idle: timedelta = timedelta(minutes=1)
    remembered: bool = False


PEOPLE: Mapping[str, PersonState] = {
    "session-live": PersonState(client=True, age=MARGIN),
    "session-remembered": PersonState(
        client=True, age=4 * MAX_AGE, idle=4 * MAX_AGE, remembered=True
    ),
    "session-too-old": PersonState(client=True, age=MAX_AGE + MARGIN),
    "session-unused": PersonState(client=True, age=MAX_IDLE + MARGIN, idle=MAX_IDLE + MARGIN),
    "session-roleless": PersonState(age=MARGIN),
    "session-roleless-remembered": PersonState(age=4 * MAX_AGE, idle=4 * MAX_AGE, remembered=True),
    "liaison": PersonState(staff=True),
    "liaison-session": PersonState(staff=True, age=MARGIN),
    "liaison-session-remembered": PersonState(
        staff=True, age=4 * MAX_AGE, idle=4 * MAX_AGE, remembered=True
    ),
    "liaison-without-password": PersonState(staff=True, age=MARGIN),
    "employee-session": PersonState(staff=True, age=MARGIN),
    "roleless": PersonState(),
}


def initial_model(target: Target) -> WorldModel:
    """Returns what is known about a target at the start.

    The registry and the personas of our stub are known, apart from their sessions. Of another
    server, only what its profile states is known; it may or may not know what our fixtures contain.
    """
    applications = {each["slug"]: each["name"] for each in _load_fixture("applications")}
    companies = frozenset(each["id"] for each in _load_fixture("companies"))
    stated = [each for each in (target.application, target.other_application) if each is not None]
    unstated = frozenset(applications).difference(stated)
    if not target.control:
        return WorldModel(
            dict.fromkeys(stated),
            frozenset() if target.company is None else frozenset({target.company}),
            possibly_known=frozenset(applications),
            unstated_applications=unstated,
            has_other_companies=True,
        )
    tokens = frozenset(each["token"] for each in _load_fixture("personas", "application_tokens"))
    model = WorldModel(
        applications, companies, unstated_applications=unstated, application_tokens=tokens
    )
    for each in _load_fixture("personas", "users"):
        staff = bool(each.get("roles"))
        model.add_user(UserModel(each["email"], each.get("password"), "client" in each, staff))
    return model


def _load_fixture(name: str, section: str | None = None) -> list[dict[str, Any]]:
    document = spec.parse((files("clients_register.fixtures") / f"{name}.yaml").read_text("utf-8"))
    entries: list[dict[str, Any]] = document[section or name]
    return entries
