"""What a server remembers, behind an interface that a file and a database can both keep.

Every method returns only when what it did is durable, and does it whole or not at all. Addresses
are compared by `email_key` alone, which the caller computes.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from clients_register.handlers.records import Mail, Registration, Session, User
from clients_register.handlers.store.enrolment import Enrolment


class StoreError(Exception):
    """The data cannot be used; the message says what was expected, found, and what to do."""


class StoreUnavailable(StoreError):
    """The data cannot be reached for now, or was lost on the way; the message says so in a line.

    Whether a write was made is then unknown, but it was made whole or not at all.
    """


class EmailTaken(Exception):
    """The address belongs to somebody already; nothing was stored."""


class Store(Protocol):
    """Users with their clients, sessions and mails. Safe under concurrent requests."""

    async def user(self, user_id: int) -> User | None:
        """The user with that id."""
        ...

    async def user_by_email(self, email_key: str) -> User | None:
        """The user with that address, a client or not."""
        ...

    def enrol(
        self, registration: Registration, user: User | None
    ) -> AbstractAsyncContextManager[Enrolment]:
        """Makes `user` a client, or, where there is none, a new user who is one.

        The client, and what is written to the enrolment, is durable together when the context ends;
        where that is by an exception, nothing is stored of what was not settled before.

        Check and insert are one step: of simultaneous calls for one address exactly one succeeds,
        the others raise EmailTaken. An existing user keeps the password they have. Raises
        LookupError where `user` is not there.
        """
        ...

    async def remove_client(self, user: User, before: User | None) -> None:
        """Takes back an enrolment: `before` is what it was asked for with, `user` whom it made.

        With a user who was made by it go the sessions they have. One who is not there, or is
        another by now, is passed over.
        """
        ...

    async def session(self, digest: str) -> Session | None:
        """The session whose token has that SHA-256."""
        ...

    async def put_session(self, session: Session) -> None:
        """Stores a session, in place of the one of the same digest if there is one.

        Raises LookupError where its user is not there.
        """
        ...

    async def add_mail(self, mail: Mail) -> None:
        """Keeps a mail, behind those kept before."""
        ...

    async def mails(self) -> Sequence[Mail]:
        """The mails kept, oldest first."""
        ...

    async def users(self) -> Sequence[User]:
        """Everybody, by id."""
        ...

    async def sessions(self) -> Sequence[Session]:
        """All sessions, see `Session.order`."""
        ...

    async def remove(
        self, users: Iterable[int] = (), sessions: Iterable[str] = (), *, mails: bool = False
    ) -> None:
        """Removes users with their sessions, sessions by digest, and, with `mails`, all mails.

        What is not there is passed over.
        """
        ...

    async def seed(
        self, users: Iterable[User], sessions: Iterable[Session], *, public: bool
    ) -> None:
        """Adds the users who are not there yet (see `newcomers`), and puts the sessions.

        `public` says that their tokens and passwords are known to anybody: the data then serves a
        stub and never a reference server. Raises StoreError where an id or an address is another
        user's, LookupError where a session's user is nobody.
        """
        ...

    async def count_clients(self) -> int:
        """How many clients there are."""
        ...

    async def close(self) -> None:
        """Lets go of the data. No call may follow."""
        ...
