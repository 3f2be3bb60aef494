"""Named representations of a client, a session and an application, as `x-views` draws them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from clients_register.handlers.clock import written
from clients_register.handlers.records import Client, Session, User
from clients_register.handlers.sessions import expiry

DEFAULT = "default"

Views = Mapping[str, Mapping[str, tuple[str, ...]]]


def client_view(views: Views, name: str, user: User) -> dict[str, Any]:
    """The client that `user` is, in the view `name`. There is no view that shows a password."""
    client = user.client
    assert client is not None, "only a user who is a client has a client view"
    shown = {key: getattr(client, key) for key in Client.__slots__} | {"user_id": user.id}
    return _project(views["client"][name], shown)


def session_view(views: Views, name: str, session: Session, token: str) -> dict[str, Any]:
    """`session`, in the view `name`, with the `token` that its holder has and the store has not."""
    shown = {key: getattr(session, key) for key in Session.__slots__ if key != "digest"}
    return _project(views["session"][name], shown | {"token": token, "expires_at": expiry(session)})


def application_view(views: Views, name: str, slug: str, title: str) -> dict[str, Any]:
    """The application `slug`, in the view `name`."""
    return _project(views["application"][name], {"slug": slug, "name": title})


def _project(keys: tuple[str, ...], shown: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain(shown[key]) for key in keys}


def _plain(value: Any) -> Any:
    return written(value) if isinstance(value, datetime) else value
