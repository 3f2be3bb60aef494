"""The sessions of a world."""

from datetime import timedelta
from typing import Any

from clients_register.handlers.clock import written
from clients_register.handlers.emails import key_of, trimmed
from clients_register.handlers.mock.control.calls import Call
from clients_register.handlers.mock.problems import Problem, suggestion
from clients_register.handlers.records import Session
from clients_register.handlers.sessions import MAX_AGE, MAX_IDLE, expiry

LIVE, TOO_OLD, UNUSED, REMEMBERED = "live", "too-old", "unused", "remembered"

# How far past a limit a session is that shall be past it, and how long ago it was used otherwise.
PAST = timedelta(hours=1)
LATELY = timedelta(minutes=1)

# state -> (age, time since the last use)
TIMES = {
    LIVE: (PAST, LATELY),
    TOO_OLD: (MAX_AGE + PAST, LATELY),
    UNUSED: (MAX_IDLE + PAST, MAX_IDLE + PAST),
    REMEMBERED: (4 * MAX_AGE, 4 * MAX_AGE),
}


async def read(call: Call) -> list[dict[str, Any]]:
    """See the operation."""
    store = (await call.world.services()).store
    emails = {user.id: user.email for user in await store.users()}
    return [_shown(call, each, emails[each.user_id]) for each in await store.sessions()]


async def write(call: Call) -> list[dict[str, Any]]:
    """See the operation. Raises Problem where there is no such user or application."""
    services = await call.world.services()
    key = key_of(trimmed(call.body["email"]))
    user = await services.store.user_by_email(key) if key else None
    if user is None:
        emails = [each.email for each in await services.store.users()]
        raise Problem(
            "no-such-user",
            f"email: nobody here has the address {call.body['email']!r}",
            suggestion(call.body["email"], emails),
            404,
        )
    applications = services.registry.applications
    application = call.body.get("application", next(iter(applications)))
    if application not in applications:
        raise Problem(
            "no-such-application",
            f"application: there is none called {application!r}",
            suggestion(application, applications),
            404,
        )
    state = call.body.get("state", LIVE)
    age, idle = TIMES[state]
    now = call.world.state.clock.now()
    session = Session(
        digest=call.world.state.minted.add(call.path["token"]),
        user_id=user.id,
        application=application,
        remember_me=state == REMEMBERED,
        created_at=now - age,
        last_used_at=now - idle,
    )
    await services.store.put_session(session)
    return [_shown(call, session, user.email)]


async def restore(call: Call) -> list[dict[str, Any]]:
    """See the operation."""
    await call.world.restore_sessions()
    return await read(call)


def _shown(call: Call, session: Session, email: str) -> dict[str, Any]:
    ends = expiry(session)
    return {
        "token": call.world.state.minted.token(session.digest),
        "user_id": session.user_id,
        "email": email,
        "state": _state(call, session),
        "application": session.application,
        "remember_me": session.remember_me,
        "created_at": written(session.created_at),
        "last_used_at": written(session.last_used_at),
        "expires_at": written(ends) if ends else None,
    }


def _state(call: Call, session: Session) -> str:
    now = call.world.state.clock.now()
    if session.remember_me:
        return REMEMBERED
    if now > session.created_at + MAX_AGE:
        return TOO_OLD
    return UNUSED if now > session.last_used_at + MAX_IDLE else LIVE
