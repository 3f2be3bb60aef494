"""Faults in tokens, and in the limits of sessions."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace
from teeth.planting import broken_if, forget, swap

from clients_register.handlers import sessions
from clients_register.handlers.models import Session
from clients_register.handlers.sessions import MAX_AGE, MAX_IDLE, Bearer, Sessions

SECOND = timedelta(seconds=1)
LONG = timedelta(days=9000)


def seven_days_less_a_second() -> None:
    _limits(MAX_AGE - SECOND, MAX_IDLE)


def eight_days() -> None:
    _limits(timedelta(days=8), MAX_IDLE)


def any_age() -> None:
    _limits(LONG, MAX_IDLE)


def three_days_less_a_second() -> None:
    _limits(MAX_AGE, MAX_IDLE - SECOND)


def four_days_unused() -> None:
    _limits(MAX_AGE, timedelta(days=4))


def unused_for_ever() -> None:
    _limits(MAX_AGE, LONG)


def remembered_expires() -> None:
    swap(
        sessions,
        "expires_at",
        lambda right: lambda session: right(replace(session, remember_me=False)),
    )


def use_not_counted() -> None:
    def make(right: Any) -> Any:
        async def authenticate(self: Sessions, token: object) -> Bearer:
            before = await self._store.session(_digest(token))
            bearer: Bearer = await right(self, token)
            if before is not None:
                await self._store.put_session(before)
            return bearer

        return authenticate

    swap(Sessions, "authenticate", make)


def refusal_revives() -> None:
    def make(right: Any) -> Any:
        async def authenticate(self: Sessions, token: object) -> Bearer:
            bearer: Bearer = await right(self, token)
            if bearer.session is not None and not bearer.is_live:
                now = self._clock.now()
                fresh = replace(bearer.session, created_at=now, last_used_at=now)
                await self._store.put_session(fresh)
            return bearer

        return authenticate

    swap(Sessions, "authenticate", make)


def any_token_known() -> None:
    forget("token_is_known")


def role_not_asked_for() -> None:
    forget("user_has_a_role")


def liaison_counts_for_nothing() -> None:
    _roleless("liaison")


def employee_counts_for_nothing() -> None:
    _roleless("employee")


def _roleless(role: str) -> None:
    broken_if(
        "user_has_a_role",
        lambda context: (
            context.bearer and context.bearer.user and role in context.bearer.user.roles
        ),
    )


def _limits(age: timedelta, idle: timedelta) -> None:
    def expires_at(session: Session) -> Any:
        if session.remember_me:
            return None
        return min(session.created_at + age, session.last_used_at + idle)

    swap(sessions, "expires_at", lambda _: expires_at)


def _digest(token: object) -> str:
    return sessions.token_digest(token) if isinstance(token, str) else ""
