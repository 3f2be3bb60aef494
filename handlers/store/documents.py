"""Records as JSON documents and back. Reading is strict: what does not fit raises."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from clients_register.handlers.clock import read, written
from clients_register.handlers.records import Client, Mail, Session, User

Document = dict[str, Any]

# What a document that does not fit its record raises below.
MISFITS = (KeyError, TypeError, ValueError, AttributeError)


def user_document(user: User) -> Document:
    """`user`, with its client inside it."""
    document = asdict(user) | {"roles": sorted(user.roles)}
    if user.client is not None:
        document["client"]["created_at"] = written(user.client.created_at)
    return document


def user_of(document: Mapping[str, Any]) -> User:
    """The user that `user_document` wrote."""
    client = document["client"]
    if client is not None:
        client = Client(**{**client, "created_at": read(client["created_at"])})
    return User(**{**document, "roles": frozenset(document["roles"]), "client": client})


def session_document(session: Session) -> Document:
    """`session`, its times as text."""
    return asdict(session) | {
        "created_at": written(session.created_at),
        "last_used_at": written(session.last_used_at),
    }


def session_of(document: Mapping[str, Any]) -> Session:
    """The session that `session_document` wrote."""
    times = {key: read(document[key]) for key in ("created_at", "last_used_at")}
    return Session(**{**document, **times})


def mail_document(mail: Mail) -> Document:
    """`mail`, its time as text."""
    return asdict(mail) | {"sent_at": written(mail.sent_at)}


def mail_of(document: Mapping[str, Any]) -> Mail:
    """The mail that `mail_document` wrote."""
    return Mail(**{**document, "sent_at": read(document["sent_at"])})
