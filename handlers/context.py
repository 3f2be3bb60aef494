"""The context of a request: what it is processed with, what was sent, and what is known so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from msgspec import Struct

from clients_register.handlers.decoding import Body, Params, email_key, lazy, trim_email
from clients_register.handlers.mail import Mailer
from clients_register.handlers.models import Clock, HidesSecrets, Registry, User
from clients_register.handlers.passwords import PasswordHasher
from clients_register.handlers.sessions import Bearer, Sessions
from clients_register.handlers.store.base import Store
from clients_register.spec.schemas import Parameters, Views
from clients_register.spec.statuses import Status, StatusTable

# The key of the ASGI scope that carries the context through Connexion.
CONTEXT = "clients_register.context"


class Route(NamedTuple):
    """A service and its action, both of which have to be deployed (`x-route` of the document)."""

    service: str
    action: str


class FieldError(Struct, frozen=True):
    """An error of one parameter; both fields are empty if no single parameter is to blame."""

    attr: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Services:
    """The services that process requests."""

    statuses: StatusTable
    media_type: str
    parameters: Parameters
    views: Views
    severity: Mapping[str, int]
    registry: Registry
    store: Store
    passwords: PasswordHasher
    sessions: Sessions
    clock: Clock
    mailer: Mailer


class Request(HidesSecrets, Struct):
    """The parts of an HTTP request that matter here. `body` is None if it exceeds the limit."""

    SECRETS = frozenset({"body", "_content"})

    id: str
    content_type: str
    content_encoding: str
    body: bytes | None
    _content: Body | None = None

    @property
    def content(self) -> Body:
        """The body, decoded when it is first needed."""
        if self._content is None:
            self._content = Body(self.body or b"")
        return self._content

    @property
    def params(self) -> Params:
        """The parameters; empty if the body contains no JSON object."""
        return self.content.params

    @property
    def size(self) -> int:
        """The length of the body and of what is known of the head, in bytes."""
        return len(self.body or b"") + len(self.content_type) + len(self.content_encoding)

    def release_decoded(self) -> None:
        """Frees what was decoded, many times the size of the body; it can be decoded again."""
        self._content = None


# With a `__dict__`, for what is computed when it is first needed.
class RequestContext(Struct, dict=True):
    """A request, the services that process it, and how far processing has come.

    `route` is None until the request is routed. `passed_rules` are the rules checked so far, in
    order, and `errors` those found in the row being checked. `violated_rule` is the rule that ended
    processing, `status` and `envelope` are what was sent.
    """

    request: Request
    services: Services
    body_was_read: bool = True
    route: Route | None = None
    bearer: Bearer | None = None
    passed_rules: list[str] = []
    errors: list[FieldError] = []
    violated_rule: str | None = None
    status: Status | None = None
    envelope: Mapping[str, Any] | None = None

    @lazy
    def body(self) -> Body:
        """The body, decoded when it is first needed."""
        return self.request.content

    @lazy
    def params(self) -> Params:
        """The parameters; empty if the body contains no JSON object."""
        return self.request.params

    @lazy
    def email(self) -> str | None:
        """The e-mail address, trimmed; None if absent or not a string."""
        email = self.params["client.email"]
        return trim_email(email) if isinstance(email, str) else None

    @lazy
    def email_is_too_long(self) -> bool:
        """Whether the address has more code points than the spec allows."""
        limit = self.services.parameters.max_lengths.get("client.email")
        return self.email is not None and limit is not None and len(self.email) > limit

    @lazy
    def email_key(self) -> str | None:
        """The key that addresses are compared by; None if there is no valid address.

        Addresses that are too long are never looked up (Q-EMAIL-SYNTAX).
        """
        if self.email is None or self.email_is_too_long:
            return None
        return email_key(self.email)

    def release_decoded(self) -> None:
        """Frees what was decoded of the request; see `Request.release_decoded`."""
        self.request.release_decoded()
        for name in ("body", "params", "email"):
            vars(self).pop(name, None)

    async def find_user(self) -> User | None:
        """Returns the user with the e-mail address of the request, whether or not a client."""
        if self.email_key is None:
            return None
        return await self.services.store.user_by_email(self.email_key)

    def is_authenticated_as(self, user: User) -> bool:
        """Whether the token of the request belongs to a live session of `user`."""
        bearer = self.bearer
        return (
            bearer is not None
            and bearer.is_live
            and bearer.user is not None
            and bearer.user.id == user.id
        )
