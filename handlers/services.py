"""What a request is served with. A server has one set; a test, or an isolated world, its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from clients_register.handlers.clock import Clock
from clients_register.handlers.mail import Mailer
from clients_register.handlers.passwords import Passwords
from clients_register.handlers.registry import Registry
from clients_register.handlers.sessions import Sessions
from clients_register.handlers.store import Store
from clients_register.handlers.views import Views
from clients_register.spec.catalogue import Catalogue
from clients_register.spec.schemas import Parameters


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a server, and what of the spec they go by."""

    catalogue: Catalogue
    media_type: str
    parameters: Parameters
    views: Views
    severity: Mapping[str, int]
    registry: Registry
    store: Store
    passwords: Passwords
    sessions: Sessions
    clock: Clock
    mailer: Mailer
