"""From a status to the bytes of an answer: the one place where envelopes are made (Q-ENVELOPE)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clients_register.handlers import views
from clients_register.handlers.attempt import Attempt
from clients_register.handlers.encoding import encoded
from clients_register.handlers.records import Session, User
from clients_register.handlers.refusals import Refusal, errors
from clients_register.spec.catalogue import Status


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and the parts of the envelope that its row of the spec says it carries."""

    status: Status
    parts: Mapping[str, Any] = field(default_factory=dict)

    def envelope(self) -> dict[str, Any]:
        """What goes out: the code, the slug, and what the row says beside them."""
        carried = {key: self.parts[key] for key in self.status.carries}
        return {"code": self.status.code, "status": self.status.slug, **carried}

    def encoded(self) -> bytes:
        """The envelope, as JSON in UTF-8."""
        return encoded(self.envelope())


def success(attempt: Attempt, user: User, session: Session, token: str) -> Answer:
    """The client, the session and the application, each in the view that was asked for."""
    shown, params = attempt.services.views, attempt.params
    slug = params["application"]
    title = attempt.services.registry.applications[slug]
    return Answer(
        attempt.services.catalogue.success,
        {
            "data": views.client_view(shown, params["view"] or views.DEFAULT, user),
            "session": _session(attempt, session, token),
            "application": views.application_view(
                shown, params["application_view"] or views.DEFAULT, slug, title
            ),
        },
    )


def refused(attempt: Attempt, refusal: Refusal) -> Answer:
    """The status whose fact does not hold, with the faults or the session that its row carries."""
    status = attempt.services.catalogue.broken(refusal.fact)
    parts: dict[str, Any] = {}
    if "errors" in status.carries:
        parts["errors"] = errors(refusal.faults, attempt.services.severity)
    bearer = attempt.bearer
    if "session" in status.carries and bearer is not None and bearer.session is not None:
        parts["session"] = _session(attempt, bearer.session, bearer.token)
    return Answer(status, parts)


def _session(attempt: Attempt, session: Session, token: str) -> dict[str, Any]:
    # A refusal may come before the rule about views, so the name may still be an unknown one.
    name = attempt.params["session_view"]
    known = attempt.services.views["session"]
    view = name if isinstance(name, str) and name in known else views.DEFAULT
    return views.session_view(attempt.services.views, view, session, token)
