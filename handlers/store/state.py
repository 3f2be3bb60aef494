"""What is stored, in memory, by everything that it is asked for by."""

from collections.abc import Iterable, Sequence

from clients_register.handlers.records import Mail, Session, User
from clients_register.handlers.store.changes import Change
from clients_register.handlers.store.contents import Contents

# Ids up to here are for seeds, so that a seeded id never meets one that was given out.
LAST_SEEDED_ID = 1000


class State:
    """The records of a store with their indexes. Whatever is done here is durable already."""

    def __init__(self, contents: Contents) -> None:
        """`contents` are taken over, and change with every change."""
        self.contents = contents
        self._by_email = {user.email_key: user.id for user in contents.users.values()}
        self._digests: dict[int, set[str]] = {}
        for session in contents.sessions.values():
            self._digests.setdefault(session.user_id, set()).add(session.digest)
        self.clients = sum(user.client is not None for user in contents.users.values())

    def user(self, user_id: int) -> User | None:
        """The user with that id."""
        return self.contents.users.get(user_id)

    def user_by_email(self, email_key: str) -> User | None:
        """The user with that address."""
        user_id = self._by_email.get(email_key)
        return None if user_id is None else self.contents.users[user_id]

    def digests_of(self, user_id: int) -> Iterable[str]:
        """The digests of the user's sessions."""
        return self._digests.get(user_id, ())

    def mails(self) -> Sequence[Mail]:
        """All mails, oldest first."""
        return tuple(self.contents.mails[number] for number in sorted(self.contents.mails))

    def last_id(self) -> int:
        """The highest id that was given out to those who are there."""
        numbers = [LAST_SEEDED_ID, *self.contents.users]
        clients = [user.client.id for user in self.contents.users.values() if user.client]
        return max([*numbers, *clients])

    def last_mail(self) -> int:
        """The number of the latest mail, 0 if there is none."""
        return max(self.contents.mails, default=0)

    def apply(self, change: Change) -> None:
        """Makes `change`, of which everything that goes away is there."""
        if change.public is not None:
            self.contents.public = change.public
        for number, user in change.users.items():
            self._put_user(number, user)
        for digest, session in change.sessions.items():
            self._put_session(digest, session)
        for number, mail in change.mails.items():
            if mail is None:
                del self.contents.mails[number]
            else:
                self.contents.mails[number] = mail

    def _put_user(self, number: int, user: User | None) -> None:
        before = self.contents.users.get(number)
        if before is not None:
            del self._by_email[before.email_key]
            self.clients -= before.client is not None
        if user is None:
            del self.contents.users[number]
            return
        self.contents.users[number] = user
        self._by_email[user.email_key] = number
        self.clients += user.client is not None

    def _put_session(self, digest: str, session: Session | None) -> None:
        before = self.contents.sessions.get(digest)
        if before is not None:
            owned = self._digests[before.user_id]
            owned.discard(digest)
            if not owned:
                del self._digests[before.user_id]
        if session is None:
            del self.contents.sessions[digest]
            return
        self.contents.sessions[digest] = session
        self._digests.setdefault(session.user_id, set()).add(digest)
