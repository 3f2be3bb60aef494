"""Sessions: issued on success, checked where a token is passed.

Limits: R-SESSION-AGE, R-SESSION-IDLE, R-SESSION-REMEMBER; exactly at a limit is still valid
(Q-SESSION-LIMITS).
"""

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from clients_register.handlers.clock import Clock
from clients_register.handlers.records import Session, User
from clients_register.handlers.registry import Registry
from clients_register.handlers.store import Store

MAX_AGE = timedelta(days=7)
MAX_IDLE = timedelta(hours=72)
TOKEN_BYTES = 32


def digest_of(token: str) -> str:
    """What is kept of a token: its SHA-256, in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def expiry(session: Session) -> datetime | None:
    """The last moment at which `session` is valid; None where it is remembered."""
    if session.remember_me:
        return None
    return min(session.created_at + MAX_AGE, session.last_used_at + MAX_IDLE)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who presented a token: an application, or the user of a session, or nobody known."""

    token: str = field(repr=False)
    is_application: bool = False
    session: Session | None = None
    user: User | None = None
    live: bool = False

    @property
    def is_known(self) -> bool:
        """Whether any session or application has this token."""
        return self.is_application or self.session is not None


class Sessions:
    """Issues and looks up sessions of one store, by one clock."""

    def __init__(self, store: Store, clock: Clock, registry: Registry) -> None:
        self._store = store
        self._clock = clock
        self._registry = registry

    def draw(self, user: User, application: str) -> tuple[str, Session]:
        """A token, and the new session that it opens once that is stored."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock.now()
        return token, Session(
            digest=digest_of(token),
            user_id=user.id,
            application=application,
            remember_me=False,
            created_at=now,
            last_used_at=now,
        )

    async def present(self, token: object) -> Bearer:
        """Whose `token` it is. A live session counts as used now; a lapsed one stays as it was."""
        if not isinstance(token, str):
            return Bearer(token="")
        digest = digest_of(token)
        if digest in self._registry.application_tokens:
            return Bearer(token, is_application=True)
        session = await self._store.session(digest)
        if session is None:
            return Bearer(token)
        now = self._clock.now()
        ends = expiry(session)
        live = ends is None or now <= ends
        if live:
            session = replace(session, last_used_at=now)
            await self._store.put_session(session)
        return Bearer(
            token, session=session, user=await self._store.user(session.user_id), live=live
        )
