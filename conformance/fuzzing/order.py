"""Which error wins where several apply: every pair and triple of faults that can come together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from clients_register.conformance.fuzzing.reading import BODY_LIMIT
from clients_register.conformance.model import Send


@dataclass(frozen=True)
class Planted:
    """One fault of a request or of the server.

    `fact` is that of `x-statuses` which it breaks. `takes` are the places that it needs for itself:
    two faults that take the same one cannot come together. `set` and `drop` change the params; the
    rest changes what stands around them. `state` is one to arrange first.
    """

    name: str
    fact: str
    takes: frozenset[str]
    set: Mapping[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    headers: Mapping[str, str | None] = field(default_factory=dict)
    content: tuple[str, Any] | None = None
    body: str | None = None
    path: str | None = None
    method: str | None = None
    state: str | None = None

    @property
    def of_server(self) -> bool:
        """Whether the server is broken, and not the request."""
        return any(each.startswith("server:") for each in self.takes)


def _planted(name: str, fact: str, takes: str, **how: Any) -> Planted:
    return Planted(name, fact, frozenset(takes.split()), **how)


# What has no params, what has no JSON, and so on, cannot have faults further in.
_PARAMS = "params"

FAULTS: tuple[Planted, ...] = (
    _planted(
        "crash before routing",
        "request_is_identified",
        "server:crash",
        state="crash-before-routing",
    ),
    _planted("trailing slash", "route_exists", "path", path="${route}/"),
    _planted("method PUT", "route_exists", "method", method="PUT"),
    _planted("no service", "service_is_deployed", "server:service", state="service-undeployed"),
    _planted("no route record", "route_is_deployed", "server:route", state="route-undeployed"),
    _planted(
        "JSON type",
        "content_type_is_accepted",
        "type",
        headers={"Content-Type": "application/json"},
    ),
    _planted("no type", "content_type_is_accepted", "type", headers={"Content-Type": None}),
    _planted("gzip", "content_type_is_accepted", "coding", headers={"Content-Encoding": "gzip"}),
    _planted(
        "over the limit",
        "body_is_within_the_limit",
        "size",
        body=f"${{encoded|fill:{BODY_LIMIT + 1}}}",
    ),
    _planted("no base64", "body_is_base64", "size content params", body="!!!!"),
    _planted("no JSON", "body_is_json", "content params", content=("text", "{")),
    _planted("no body", "params_are_passed", "size content params", body=""),
    _planted("no params", "params_are_passed", "content params", content=("json", {})),
    _planted("unknown token", "token_is_known", "params:token", set={"token": "${unique}"}),
    _planted(
        "expired session",
        "session_is_live",
        "params:token",
        set={"token": "${token}"},
        state="session-too-old",
    ),
    _planted(
        "no role",
        "user_has_a_role",
        "params:token",
        set={"token": "${token}"},
        state="session-roleless",
    ),
    _planted(
        "no application", "required_params_are_passed", "params:application", drop=("application",)
    ),
    _planted("no client", "required_params_are_passed", "params:client", drop=("client",)),
    _planted("wrong type", "types_are_right", "params:enterprise", set={"enterprise": "yes"}),
    _planted("client of no object", "types_are_right", "params:client", set={"client": []}),
    _planted(
        "malformed address",
        "email_is_well_formed",
        "params:client.email",
        set={"client.email": "${unique}"},
    ),
    _planted(
        "unknown company",
        "company_is_known",
        "params:client.company_id",
        set={"client.company_id": 999_999_999},
    ),
    _planted(
        "unknown application",
        "application_is_known",
        "params:application",
        set={"application": "${unique}"},
    ),
    _planted("unknown view", "views_are_known", "params:view", set={"view": "${unique}"}),
    _planted(
        "taken address",
        "email_is_free",
        "params:client.email",
        set={"client.email": "${client.email}"},
        state="client",
    ),
    _planted(
        "no password",
        "required_client_fields_are_passed",
        "params:client.password",
        drop=("client.password",),
    ),
    _planted(
        "long name",
        "lengths_are_kept",
        "params:client.last_name",
        set={"client.last_name": "${x*256}"},
    ),
    _planted(
        "NUL in the password",
        "password_can_be_hashed",
        "params:client.password",
        set={"client.password": "a\0b"},
    ),
    _planted(
        "not proven",
        "user_is_proven",
        "params:client.email",
        set={"client.email": "${user.email}"},
        state="liaison",
    ),
    _planted(
        "crash in the handler",
        "nothing_unforeseen_happens",
        "server:crash",
        state="crash-in-handler",
    ),
    _planted("failing mail", "welcome_mail_is_sent", "server:mail", state="mail-failing"),
)


def together(faults: tuple[Planted, ...]) -> bool:
    """Whether one request can have all of them."""
    return all(_apart(one, other) for one, other in combinations(faults, 2))


def _apart(one: Planted, other: Planted) -> bool:
    if one.takes & other.takes or (one.state and one.state == other.state):
        return False
    for outer, inner in ((one, other), (other, one)):
        for place in inner.takes:
            # What stands in the params needs params, what stands in the client a client.
            holders = (_PARAMS, place.rpartition(".")[0])
            if place.startswith("params:") and outer.takes.intersection(holders):
                return False
    return True


def probes(size: int) -> Iterator[tuple[Planted, ...]]:
    """All sets of `size` faults that can come together."""
    return (chosen for chosen in combinations(FAULTS, size) if together(chosen))


def send(faults: tuple[Planted, ...]) -> Send:
    """The request that has them all."""
    merged: dict[str, Any] = {}
    changes: dict[str, Any] = {}
    for fault in faults:
        changes.update(fault.set)
        for name in ("content", "body", "path", "method"):
            value = getattr(fault, name)
            if value is not None:
                merged[name] = value
    return Send(
        set=changes,
        drop=tuple(path for fault in faults for path in fault.drop),
        headers={name: value for fault in faults for name, value in fault.headers.items()},
        **merged,
    )
