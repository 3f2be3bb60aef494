"""Named representations of a client, a session and an application, as `x-views` draws them."""

from collections.abc import Mapping
from typing import Any

from clients_register.handlers.clock import written
from clients_register.handlers.records import Session, User
from clients_register.handlers.sessions import expiry

DEFAULT = "default"

Views = Mapping[str, Mapping[str, tuple[str, ...]]]


# What a view can show is listed here. What a record holds beside it, such as the digest of a token,
# no document can ask for.


def client_view(views: Views, name: str, user: User) -> dict[str, Any]:
    """The client that `user` is, in the view `name`. There is no view that shows a password."""
    client = user.client
    assert client is not None, "only a user who is a client has a client view"
    shown = {
        "id": client.id,
        "user_id": user.id,
        "email": client.email,
        "first_name": client.first_name,
        "last_name": client.last_name,
        "phone": client.phone,
        "company_id": client.company_id,
        "company_name": client.company_name,
        "enterprise": client.enterprise,
        "created_at": written(client.created_at),
    }
    return {key: shown[key] for key in views["client"][name]}


def session_view(views: Views, name: str, session: Session, token: str) -> dict[str, Any]:
    """`session`, in the view `name`, with the `token` that its holder has and the store has not."""
    ends = expiry(session)
    shown = {
        "token": token,
        "user_id": session.user_id,
        "application": session.application,
        "remember_me": session.remember_me,
        "created_at": written(session.created_at),
        "last_used_at": written(session.last_used_at),
        "expires_at": None if ends is None else written(ends),
    }
    return {key: shown[key] for key in views["session"][name]}


def application_view(views: Views, name: str, slug: str, title: str) -> dict[str, Any]:
    """The application `slug`, in the view `name`."""
    shown = {"slug": slug, "name": title}
    return {key: shown[key] for key in views["application"][name]}
