"""What the server remembers: users, the clients some of them are, their sessions, and mails."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Client:
    """The record that makes a user a client. `email` is trimmed, otherwise as it was sent."""

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
    """A person. `email_key` is what tells two addresses apart; `password_hash` is bcrypt's text.

    `roles` are the records beside the client's ("employee", "liaison"): this route never makes one.
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
    """A client that is about to be stored; the store gives it its id.

    `password_hash` is for a user made with it; None where the user is there already.
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

    def client(self, number: int) -> Client:
        """The client that is stored under the id `number`."""
        return Client(
            id=number,
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
    """A login. The token itself is never kept, only the SHA-256 of it (`digest`, hex)."""

    digest: str = field(repr=False)
    user_id: int
    application: str
    remember_me: bool
    created_at: datetime
    last_used_at: datetime

    @property
    def order(self) -> tuple[int, datetime, str]:
        """The sort key of lists of sessions: by user, and of one user the oldest first."""
        return self.user_id, self.created_at, self.digest


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail as it was handed to a transport. `request_id` names the answer that caused it."""

    recipient: str
    sender: str
    subject: str
    text: str
    request_id: str
    sent_at: datetime
