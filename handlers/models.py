"""The records of the domain, immutable, and their JSON documents; time, and its text format.

Records, and other objects that are created for each request, are msgspec's structs. Creating one
takes a fifth of the time of a dataclass.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, get_type_hints

import msgspec
from msgspec import Struct
from typing_extensions import override


class Clock(Protocol):
    """A source of the current time. No other module of the server reads the system clock."""

    def now(self) -> datetime:
        """Returns the current time: UTC, in whole milliseconds."""
        ...


class SystemClock(Clock):
    """The system clock."""

    @override
    def now(self) -> datetime:
        return _moment(time.time_ns() // 1_000_000)


# A registration asks for the time four times.
@lru_cache(maxsize=16)
def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


# It formats the same moment eight times.
@lru_cache(maxsize=16)
def format_time(moment: datetime) -> str:
    """Formats `moment` (UTC) as in responses and files: 2026-01-15T09:30:00.000Z."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


class HidesSecrets:
    """A base of structs whose `repr` leaves out their `SECRETS`, which are names of members."""

    __slots__ = ()
    __struct_fields__: ClassVar[tuple[str, ...]]
    SECRETS: ClassVar[frozenset[str]]

    @override
    def __repr__(self) -> str:
        members = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({members})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        shown = (name for name in self.__struct_fields__ if name not in self.SECRETS)
        return [(name, getattr(self, name)) for name in shown]


class Client(Struct, frozen=True):
    """The record that makes a user a client. `email` is as received, but trimmed."""

    id: int
    email: str
    first_name: str | None
    last_name: str | None
    phone: str | None
    company_id: int | None
    company_name: str | None
    enterprise: bool
    created_at: datetime


class User(HidesSecrets, Struct, frozen=True):
    """A person. Two users never have the same `email_key`; `password_hash` is bcrypt's text.

    `roles` lists records other than the client ("employee", "liaison"); this route creates none.
    """

    SECRETS = frozenset({"password_hash"})

    id: int
    email: str
    email_key: str
    password_hash: str | None
    roles: frozenset[str] = frozenset()
    client: Client | None = None

    @property
    def has_a_role(self) -> bool:
        """Whether the user has a client, employee or liaison record (R-NO-ROLE)."""
        return self.client is not None or bool(self.roles)


class Registration(HidesSecrets, Struct, frozen=True):
    """A client to be stored; the store assigns the id.

    `password_hash` is for a new user; None if the user already exists.
    """

    SECRETS = frozenset({"password_hash"})

    email: str
    email_key: str
    password_hash: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    company_id: int | None
    company_name: str | None
    enterprise: bool
    created_at: datetime

    def to_client(self, client_id: int) -> Client:
        """Returns the client to store under `client_id`."""
        return Client(
            id=client_id,
            email=self.email,
            first_name=self.first_name,
            last_name=self.last_name,
            phone=self.phone,
            company_id=self.company_id,
            company_name=self.company_name,
            enterprise=self.enterprise,
            created_at=self.created_at,
        )


class Session(HidesSecrets, Struct, frozen=True):
    """A login. The token itself is never stored, only its SHA-256 (`digest`, hex)."""

    SECRETS = frozenset({"digest"})

    digest: str
    user_id: int
    application: str
    remember_me: bool
    created_at: datetime
    last_used_at: datetime

    @property
    def sort_key(self) -> tuple[int, datetime, str]:
        """Sorts sessions by user, then oldest first."""
        return self.user_id, self.created_at, self.digest


class Mail(Struct, frozen=True):
    """An e-mail as handed to a transport. `request_id` identifies the request that caused it."""

    recipient: str
    sender: str
    subject: str
    text: str
    request_id: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Registry:
    """Reference data that requests are checked against; it never changes while a server runs.

    `applications` maps slugs to names, `application_tokens` holds the SHA-256 of each token in hex,
    and `services` maps the name of each deployed service to its deployed actions.
    """

    applications: Mapping[str, str]
    companies: frozenset[int]
    application_tokens: frozenset[str]
    services: Mapping[str, frozenset[str]]


Record = TypeVar("Record", User, Session, Mail)


def encode_record(record: User | Session | Mail) -> bytes:
    """Returns the JSON of a record: times as text (RFC 3339), sets as sorted lists."""
    return msgspec.json.encode(record, order="deterministic")


def check_document(kind: type[Record], encoded: bytes, where: str) -> Any:
    """Decodes the JSON of a record strictly: no member may be missing, unknown, or of another type.

    Returns an object with the attributes of the record. Raises ValueError. The message says where,
    starting with `where`, what was expected and found; it quotes no value, because values include
    password hashes.
    """
    try:
        return _DECODERS[kind].decode(encoded)
    except msgspec.DecodeError as error:
        what, _, place = str(error).partition(" - at `$")
        raise ValueError(f"{where}{place.rstrip('`')}: {what}") from None


def _strict_type(kind: type[Any]) -> type[msgspec.Struct]:
    """Returns a type like `kind` that has no defaults.

    It accepts neither other members nor times without an offset.
    """
    hints = get_type_hints(kind)
    members = [
        (name, _strict_type(Client) | None)
        if hint == Client | None
        else (name, Annotated[datetime, msgspec.Meta(tz=True)] if hint is datetime else hint)
        for name, hint in hints.items()
    ]
    return msgspec.defstruct(kind.__name__, members, forbid_unknown_fields=True)


_DECODERS = {kind: msgspec.json.Decoder(_strict_type(kind)) for kind in (User, Session, Mail)}
