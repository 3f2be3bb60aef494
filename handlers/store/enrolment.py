"""A client on the way into a store, and what is to be stored with them: all of it, or none."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from clients_register.handlers.records import Mail, Session, User

# Makes durable, in one, the client of an enrolment and these.
Commit = Callable[[Sequence[Session], Sequence[Mail]], Awaitable[None]]


class Beside(Protocol):
    """The part of a store that takes a single record, durable when it returns."""

    async def put_session(self, session: Session) -> None:
        """See `Store.put_session`."""
        ...

    async def add_mail(self, mail: Mail) -> None:
        """See `Store.add_mail`."""
        ...


class Enrolment:
    """`user` with their new client, who is not stored yet. See `Store.enrol`.

    It holds the address, and may hold up everybody else who writes. So whoever has one waits for
    nothing but its own methods, until it is settled.
    """

    def __init__(self, user: User, store: Beside, commit: Commit) -> None:
        """`commit` is called once; what comes after it is the business of `store`."""
        self.user = user
        self._store = store
        self._commit = commit
        self._sessions: list[Session] = []
        self._mails: list[Mail] = []
        self._settled = False

    @property
    def may_be_stored(self) -> bool:
        """Whether the client is stored by now, or was about to be when something went wrong."""
        return self._settled

    async def put_session(self, session: Session) -> None:
        """Stores a session of the user with them. Raises LookupError where it is another's."""
        if session.user_id != self.user.id:
            raise LookupError(f"a session of user {session.user_id}, who is not enrolled here")
        if self._settled:
            await self._store.put_session(session)
        else:
            self._sessions.append(session)

    async def add_mail(self, mail: Mail) -> None:
        """Keeps a mail with them, behind those kept before."""
        if self._settled:
            await self._store.add_mail(mail)
        else:
            self._mails.append(mail)

    async def settle(self) -> None:
        """Returns when the client, and what was written with them so far, is durable.

        They stay from now on, however the context ends, and whatever follows is a write of its own.
        """
        if not self._settled:
            self._settled = True
            await self._commit(self._sessions, self._mails)
