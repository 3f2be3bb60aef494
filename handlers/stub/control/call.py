"""Arguments and results of the operations of the control plane."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from clients_register.handlers.stub.forcing import Example, MagicAddresses
from clients_register.handlers.stub.worlds import World, Worlds
from clients_register.spec.statuses import StatusTable


@dataclass(frozen=True, slots=True)
class StubParts:
    """The parts of the stub that do not belong to one world.

    `examples` and `exchanges` (a request and its response for each status) are by slug; `base` is
    the path of the base URL, and `route` that of the route, which begins with it.
    """

    worlds: Worlds
    statuses: StatusTable
    examples: Mapping[str, Example]
    exchanges: Mapping[str, Any]
    addresses: MagicAddresses
    base: str
    route: str


@dataclass(frozen=True, slots=True)
class ControlContext:
    """The stub and the world that a request to the control plane addresses."""

    parts: StubParts
    world: World


@dataclass(frozen=True, slots=True)
class ControlCall:
    """A valid request to the control plane."""

    parts: StubParts
    world: World
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any


@dataclass(frozen=True, slots=True)
class ControlResponse:
    """A response with a code other than 200. Without a `value` it has no body."""

    code: int
    value: Any = None


@dataclass(frozen=True, slots=True)
class ControlStream:
    """A response whose value is the array of `items`, sent as they are made.

    `frame` is the JSON before and after the array.
    """

    items: AsyncIterator[Any]
    frame: tuple[str, str] = ("", "")


NO_CONTENT = ControlResponse(204)
