"""The records of the domain, immutable, and how they are written as JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

import orjson

from clients_register.handlers.clock import format_time


@dataclass(frozen=True, slots=True)
class Client:
    """The record that makes a user a client. `email` is as received, but for trimming."""

    id: int
    email: str
    first_name: str | None
    last_name: str | None
    phone: str | None
    company_id: int | None
    company_name: str | None
    enterprise: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class User:
    """A person. Two users never have the same `email_key`; `password_hash` is bcrypt's text.

    `roles` lists records other than the client ("employee", "liaison"); this route creates none.
    """

    id: int
    email: str
    email_key: str
    password_hash: str | None = field(repr=False)
    roles: frozenset[str] = frozenset()
    client: Client | None = None

    @property
    def has_a_role(self) -> bool:
        """Whether the user has a client, employee or liaison record (R-NO-ROLE)."""
        return self.client is not None or bool(self.roles)


@dataclass(frozen=True, slots=True)
class Registration:
    """A client to be stored; the store assigns the id.

    `password_hash` is for a new user; None if the user already exists.
    """

    email: str
    email_key: str
    password_hash: str | None = field(repr=False)
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


@dataclass(frozen=True, slots=True)
class Session:
    """A login. The token itself is never stored, only its SHA-256 (`digest`, hex)."""

    digest: str = field(repr=False)
    user_id: int
    application: str
    remember_me: bool
    created_at: datetime
    last_used_at: datetime

    @property
    def sort_key(self) -> tuple[int, datetime, str]:
        """Sorts sessions by user, then oldest first."""
        return self.user_id, self.created_at, self.digest


@dataclass(frozen=True, slots=True)
class Mail:
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


def encode_json(value: Any) -> bytes:
    """Encodes `value` as JSON in UTF-8, without white space.

    Accepts JSON values and the records of this module, which become objects; times become text and
    sets become sorted lists. Raises ValueError or TypeError for anything else.
    """
    try:
        return orjson.dumps(value, _to_plain, orjson.OPT_PASSTHROUGH_DATETIME)
    except orjson.JSONEncodeError:
        # orjson supports integers up to 64 bits only; a company id may be larger.
        return json.dumps(
            value, default=_to_plain, ensure_ascii=False, separators=(",", ":")
        ).encode()


def _to_plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, frozenset):
        return sorted(value)
    # Only the fallback gets here with records; orjson knows dataclasses.
    return {field.name: getattr(value, field.name) for field in fields(value)}
