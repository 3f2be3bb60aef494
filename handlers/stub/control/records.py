"""Users, sessions and mails as the control plane shows them, and the states of sessions."""

from datetime import timedelta
from typing import Any

from clients_register.handlers.models import Mail, Session, User, format_time
from clients_register.handlers.responses import client_view
from clients_register.handlers.sessions import MAX_AGE, MAX_IDLE, expires_at
from clients_register.handlers.stub.control.call import ControlCall
from clients_register.handlers.stub.snapshots import Snapshot

# The view in which the control plane shows clients.
CLIENT_VIEW = "client_read"

LIVE, TOO_OLD, UNUSED, REMEMBERED = "live", "too-old", "unused", "remembered"

# How far a session is past a limit, or how recently it was used otherwise.
PAST_LIMIT = timedelta(hours=1)
RECENT = timedelta(minutes=1)

# The age of a session and the time since its last use, by state.
SESSION_TIMES = {
    LIVE: (PAST_LIMIT, RECENT),
    TOO_OLD: (MAX_AGE + PAST_LIMIT, RECENT),
    UNUSED: (MAX_IDLE + PAST_LIMIT, MAX_IDLE + PAST_LIMIT),
    REMEMBERED: (4 * MAX_AGE, 4 * MAX_AGE),
}


async def show_user(call: ControlCall, user: User) -> dict[str, Any]:
    """Returns a user as a JSON value, with the persona that they are."""
    views = (await call.world.services()).views
    persona = next((entry for entry in call.world.personas.values() if entry["id"] == user.id), {})
    return {
        "user_id": user.id,
        "email": user.email,
        "persona": persona.get("persona"),
        "password": persona.get("password"),
        "roles": sorted(user.roles),
        "client": client_view(views, CLIENT_VIEW, user) if user.client else None,
    }


def show_session(call: ControlCall, session: Session, email: str) -> dict[str, Any]:
    """Returns a session as a JSON value; `email` is the address of its user."""
    expiry = expires_at(session)
    return {
        "token": call.world.state.tokens.find(session.digest),
        "user_id": session.user_id,
        "email": email,
        "state": _session_state(call, session),
        "application": session.application,
        "remember_me": session.remember_me,
        "created_at": format_time(session.created_at),
        "last_used_at": format_time(session.last_used_at),
        "expires_at": format_time(expiry) if expiry else None,
    }


def show_mail(mail: Mail) -> dict[str, Any]:
    """Returns a mail as a JSON value."""
    return {
        "request_id": mail.request_id,
        "to": mail.recipient,
        "from": mail.sender,
        "subject": mail.subject,
        "text": mail.text,
        "sent_at": format_time(mail.sent_at),
    }


def show_snapshot(name: str, snapshot: Snapshot) -> dict[str, Any]:
    """Returns what a snapshot contains as a JSON value."""
    state = snapshot.state
    return {
        "name": name,
        "world": snapshot.world,
        "saved_at": format_time(snapshot.saved_at),
        **snapshot.counts,
        "script": len(state.script.items),
        "faults": state.faults.to_dict(),
    }


def _session_state(call: ControlCall, session: Session) -> str:
    now = call.world.state.clock.now()
    if session.remember_me:
        return REMEMBERED
    if now > session.created_at + MAX_AGE:
        return TOO_OLD
    return UNUSED if now > session.last_used_at + MAX_IDLE else LIVE
