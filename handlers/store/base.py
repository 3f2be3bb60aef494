"""The interface of stores, and what all of them have in common.

Every method returns only when its effect is durable, and takes effect as a whole or not at all.
Addresses are compared by `email_key` alone, which the caller computes.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from clients_register.handlers.models import Mail, Registration, Session, User

# Ids up to this one are reserved for seeds, so that a seeded id never meets an assigned one.
LAST_SEEDED_ID = 1000

# Stores the user with these sessions and mails, durably and atomically.
Commit = Callable[[Sequence[Session], Sequence[Mail]], Awaitable[None]]


class StoreError(Exception):
    """The data cannot be used; the message says what was expected, found, and what to do."""


class StoreUnavailable(StoreError):
    """The data cannot be reached at the moment; the message is a single line.

    Whether a write took effect may be unknown then, but it did so as a whole or not at all.
    """


class EmailTaken(Exception):
    """The address belongs to another user; nothing was stored."""


class RecordStore(Protocol):
    """The part of a store that writes single records."""

    async def put_session(self, session: Session) -> None:
        """Stores a session, and replaces one with the same digest.

        Raises LookupError if its user does not exist.
        """
        ...

    async def add_mail(self, mail: Mail) -> None:
        """Appends a mail to the outbox."""
        ...


class PendingRegistration:
    """`user` with their new client, to be committed. See `Store.begin_registration`.

    Until the commit it reserves the e-mail address and may block all other writes, so its holder
    must not wait for anything but its methods.
    """

    def __init__(self, user: User, store: RecordStore, commit: Commit) -> None:
        """`commit` is called at most once; later records go to `store`."""
        self.user = user
        self._store = store
        self._commit = commit
        self._sessions: list[Session] = []
        self._mails: list[Mail] = []
        self._commit_was_called = False

    @property
    def commit_was_called(self) -> bool:
        """Whether the client is stored, or may be because the commit failed half-way."""
        return self._commit_was_called

    async def put_session(self, session: Session) -> None:
        """Adds a session. Raises LookupError if it belongs to another user."""
        if session.user_id != self.user.id:
            raise LookupError(f"a session of user {session.user_id}, who is not being registered")
        if self._commit_was_called:
            await self._store.put_session(session)
        else:
            self._sessions.append(session)

    async def add_mail(self, mail: Mail) -> None:
        """Adds a mail, after those added before."""
        if self._commit_was_called:
            await self._store.add_mail(mail)
        else:
            self._mails.append(mail)

    async def commit(self) -> None:
        """Makes the client, and what was added, durable. Further calls do nothing.

        What is added afterwards is written separately.
        """
        if not self._commit_was_called:
            self._commit_was_called = True
            await self._commit(self._sessions, self._mails)


class Store(RecordStore, Protocol):
    """Users with their clients, sessions and mails. Methods may be called concurrently."""

    async def user(self, user_id: int) -> User | None:
        """Returns the user with that id."""
        ...

    async def user_by_email(self, email_key: str) -> User | None:
        """Returns the user with that address, whether or not a client."""
        ...

    def begin_registration(
        self, registration: Registration, existing_user: User | None
    ) -> AbstractAsyncContextManager[PendingRegistration]:
        """Begins to make `existing_user`, or a new user, a client.

        Client, session and mail are stored together by `PendingRegistration.commit`. If the context
        ends without it, nothing is stored.

        Of concurrent registrations of one address exactly one succeeds; the others raise EmailTaken
        on entering the context. An existing user keeps their password. Raises LookupError if
        `existing_user` does not exist any more.
        """
        ...

    async def remove_client(self, user: User, before: User | None) -> None:
        """Undoes a registration that turned `before`, or no user, into `user`.

        The sessions of a removed user are removed, too. Does nothing if the stored user has changed
        since.
        """
        ...

    async def session(self, digest: str) -> Session | None:
        """Returns the session whose token has that SHA-256."""
        ...

    async def mails(self) -> Sequence[Mail]:
        """Returns the mails in the outbox, oldest first."""
        ...

    async def users(self) -> Sequence[User]:
        """Returns all users, by id."""
        ...

    async def sessions(self) -> Sequence[Session]:
        """Returns all sessions, see `Session.sort_key`."""
        ...

    async def remove(
        self, users: Iterable[int] = (), sessions: Iterable[str] = (), *, mails: bool = False
    ) -> None:
        """Removes users with their sessions, sessions by digest, and with `mails` all mails.

        Ids and digests that do not exist are ignored.
        """
        ...

    async def seed(
        self, users: Iterable[User], sessions: Iterable[Session], *, public: bool
    ) -> None:
        """Adds users that are not stored yet (see `users_to_add`), and stores the sessions.

        `public` says that their tokens and passwords are published; the data is then refused by
        reference servers. Raises StoreError if an id or an address belongs to another user,
        LookupError if the user of a session does not exist.
        """
        ...

    async def check_available(self) -> None:
        """Raises StoreUnavailable if the data cannot be used at the moment; writes nothing."""
        ...

    async def count_clients(self) -> int:
        """Returns the number of clients."""
        ...

    async def close(self) -> None:
        """Closes the store; no other call may follow."""
        ...


def users_to_add(seeded: Iterable[User], stored: Mapping[int, User], place: object) -> list[User]:
    """Returns those of `seeded` that are not stored yet; `stored` are users by id.

    Users with the same id and address are the same. Raises StoreError, which names `place`, if an
    id or an address belongs to another user.
    """
    id_by_email = {user.email_key: user.id for user in stored.values()}
    owners = {number: user.id for user in stored.values() for number in ids_of(user)}
    new = []
    for user in seeded:
        existing = stored.get(user.id)
        if existing is not None and existing.email_key == user.email_key:
            continue
        if (owner := id_by_email.get(user.email_key)) is not None:
            raise _conflict(user, f"user {owner} with that address", place)
        for number in ids_of(user):
            if (owner := owners.get(number)) is not None:
                raise _conflict(user, f"user {owner} with the id {number}", place)
            owners[number] = user.id
        id_by_email[user.email_key] = user.id
        new.append(user)
    return new


def ids_of(user: User) -> Iterator[int]:
    """Yields the id of `user` and that of their client."""
    yield user.id
    if user.client is not None:
        yield user.client.id


def _conflict(user: User, found: str, place: object) -> StoreError:
    return StoreError(
        f"the seed's user {user.id} ({user.email}) cannot be added: expected an unused id and"
        f" address, found {found} in {place}; change the seed, or keep the data elsewhere, with"
        " --data or --store"
    )
