"""What the functions of the control plane are called with, and what they return."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clients_register.handlers.mock.forced import Example
from clients_register.handlers.mock.magic import Addresses
from clients_register.handlers.mock.world import World
from clients_register.handlers.mock.worlds import Worlds
from clients_register.spec.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Desk:
    """What the control plane knows of the whole stub.

    `exchanges` are the golden ones, by slug; `route` is the route's path.
    """

    worlds: Worlds
    catalogue: Catalogue
    examples: Mapping[str, Example]
    exchanges: Mapping[str, Any]
    addresses: Addresses
    route: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the control plane, checked against its document."""

    desk: Desk
    world: World
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer of another code than 200. Without a `value` there is no body."""

    code: int
    value: Any = None


NOTHING = Shown(204)
