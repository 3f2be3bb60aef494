"""Sessions: issued on success, and looked up by the token of a request.

Limits: R-SESSION-AGE, R-SESSION-IDLE, R-SESSION-REMEMBER. A session exactly at a limit is still
valid (Q-SESSION-LIMITS).
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from clients_register.handlers.models import Clock, HidesSecrets, Registry, Session, User
from clients_register.handlers.store.base import Store

MAX_AGE = timedelta(days=7)
MAX_IDLE = timedelta(hours=72)
TOKEN_BYTES = 32


def token_digest(token: str) -> str:
    """Returns the SHA-256 of `token` in hex, which is stored in its place."""
    return hashlib.sha256(token.encode()).hexdigest()


def expires_at(session: Session) -> datetime | None:
    """Returns the last moment at which `session` is valid; None for a remembered session."""
    if session.remember_me:
        return None
    return min(session.created_at + MAX_AGE, session.last_used_at + MAX_IDLE)


class Bearer(HidesSecrets, Struct, frozen=True):
    """The holder of a token: an application, the user of a session, or unknown."""

    SECRETS = frozenset({"token"})

    token: str
    is_application: bool = False
    session: Session | None = None
    user: User | None = None
    is_live: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the token belongs to a session or an application."""
        return self.is_application or self.session is not None


class Sessions:
    """Issues sessions, and authenticates tokens, against one store and one clock."""

    def __init__(self, store: Store, clock: Clock, registry: Registry) -> None:
        self._store = store
        self._clock = clock
        self._registry = registry

    def issue(self, user: User, application: str) -> tuple[str, Session]:
        """Returns a new token and its session, which the caller has to store."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock.now()
        return token, Session(
            digest=token_digest(token),
            user_id=user.id,
            application=application,
            remember_me=False,
            created_at=now,
            last_used_at=now,
        )

    async def authenticate(self, token: object) -> Bearer:
        """Returns the holder of `token`. A live session counts as used, an expired one does not."""
        if not isinstance(token, str):
            return Bearer(token="")
        digest = token_digest(token)
        if digest in self._registry.application_tokens:
            return Bearer(token, is_application=True)
        session = await self._store.session(digest)
        if session is None:
            return Bearer(token)
        now = self._clock.now()
        expiry = expires_at(session)
        is_live = expiry is None or now <= expiry
        if is_live:
            session = replace(session, last_used_at=now)
            await self._store.put_session(session)
        user = await self._store.user(session.user_id)
        return Bearer(token, session=session, user=user, is_live=is_live)
