"""Envelopes (Q-ENVELOPE): from a status, and the records it shows, to the body of a response."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from clients_register.handlers.context import FieldError, RequestContext
from clients_register.handlers.models import Session, User, format_time
from clients_register.handlers.rules import RuleViolation
from clients_register.handlers.sessions import expires_at
from clients_register.spec.schemas import Views
from clients_register.spec.statuses import Status

DEFAULT_VIEW = "default"


class Response(Struct, frozen=True):
    """A status, and the values of the other envelope keys that its row in the spec lists."""

    status: Status
    parts: Mapping[str, Any] = {}

    def envelope(self) -> dict[str, Any]:
        """The body: `code`, `status`, and the keys that the row carries."""
        envelope = {"code": self.status.code, "status": self.status.slug}
        for key in self.status.carries:
            envelope[key] = self.parts[key]
        return envelope


def success_response(context: RequestContext, user: User, session: Session, token: str) -> Response:
    """Shows the client, the session and the application, each in the view requested."""
    views, params = context.services.views, context.params
    slug = params["application"]
    name = context.services.registry.applications[slug]
    return Response(
        context.services.statuses.success,
        {
            "data": client_view(views, params["view"] or DEFAULT_VIEW, user),
            "session": _session_part(context, session, token),
            "application": application_view(
                views, params["application_view"] or DEFAULT_VIEW, slug, name
            ),
        },
    )


def error_response(context: RequestContext, violation: RuleViolation) -> Response:
    """Shows the status of the violated rule, with the errors or the session its row carries."""
    status = context.services.statuses.for_rule(violation.rule)
    parts: dict[str, Any] = {}
    if "errors" in status.carries:
        parts["errors"] = error_list(violation.errors, context.services.severity)
    bearer = context.bearer
    if "session" in status.carries and bearer is not None and bearer.session is not None:
        parts["session"] = _session_part(context, bearer.session, bearer.token)
    return Response(status, parts)


def error_list(errors: Iterable[FieldError], severity: Mapping[str, int]) -> list[dict[str, str]]:
    """Builds `errors` of an envelope: one entry per parameter, with its worst message (Q-ERRORS).

    `severity` ranks the messages, 0 being the worst.
    """
    worst: dict[str, str] = {}
    for error in errors:
        known = worst.get(error.attr)
        if known is None or severity[error.message] < severity[known]:
            worst[error.attr] = error.message
    return [{"attr": attr, "message": worst[attr]} for attr in sorted(worst)]


# Each view selects from the keys listed here, so the spec cannot expose anything else that a
# record contains, such as a password hash or the digest of a token.


def client_view(views: Views, name: str, user: User) -> dict[str, Any]:
    """Shows the client record of `user` in the view `name`."""
    client = user.client
    assert client is not None, "only a user who is a client has a client view"
    values = {
        "id": client.id,
        "user_id": user.id,
        "email": client.email,
        "first_name": client.first_name,
        "last_name": client.last_name,
        "phone": client.phone,
        "company_id": client.company_id,
        "company_name": client.company_name,
        "enterprise": client.enterprise,
        "created_at": format_time(client.created_at),
    }
    return {key: values[key] for key in views["client"][name]}


def session_view(views: Views, name: str, session: Session, token: str) -> dict[str, Any]:
    """Shows `session` in the view `name`; the store has no `token`, only its digest."""
    expiry = expires_at(session)
    values = {
        "token": token,
        "user_id": session.user_id,
        "application": session.application,
        "remember_me": session.remember_me,
        "created_at": format_time(session.created_at),
        "last_used_at": format_time(session.last_used_at),
        "expires_at": None if expiry is None else format_time(expiry),
    }
    return {key: values[key] for key in views["session"][name]}


def application_view(views: Views, name: str, slug: str, title: str) -> dict[str, Any]:
    """Shows the application `slug` in the view `name`."""
    values = {"slug": slug, "name": title}
    return {key: values[key] for key in views["application"][name]}


def _session_part(context: RequestContext, session: Session, token: str) -> dict[str, Any]:
    # An error may precede the rule about views, so the view may still be an unknown one.
    name = context.params["session_view"]
    known = context.services.views["session"]
    view = name if isinstance(name, str) and name in known else DEFAULT_VIEW
    return session_view(context.services.views, view, session, token)
