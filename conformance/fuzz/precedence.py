"""Tests which error takes precedence, with every possible pair of faults, and many triples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from clients_register.conformance.case import RequestTemplate
from clients_register.conformance.exchange import ArrangementFailed
from clients_register.conformance.fuzz.checker import STATUS, Checker, ContractViolation
from clients_register.conformance.fuzz.request_decoding import BODY_LIMIT
from clients_register.conformance.fuzz.world_model import UNKNOWN_COMPANY
from clients_register.conformance.results import Finding
from clients_register.conformance.states import NotArranged

LAYER = "order"


@dataclass(frozen=True)
class RequestFault:
    """One fault of a request, or of the server.

    `rule` is the one of `x-statuses` that it violates. `parts` are the parts of a request that it
    occupies: faults that share one cannot be combined. `set` and `drop` change the parameters, the
    other fields what surrounds them. `state` is arranged first.
    """

    name: str
    rule: str
    parts: frozenset[str]
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
        """Whether it is a fault of the server and not of the request."""
        return any(each.startswith("server:") for each in self.parts)


def _fault(name: str, rule: str, parts: str, **how: Any) -> RequestFault:
    return RequestFault(name, rule, frozenset(parts.split()), **how)


# A request without parameters cannot have faults in them.
_PARAMS = "params"

FAULTS: tuple[RequestFault, ...] = (
    _fault(
        "crash before routing",
        "request_is_identified",
        "server:crash",
        state="crash-before-routing",
    ),
    _fault("trailing slash", "route_exists", "path", path="${route}/"),
    _fault("method PUT", "route_exists", "method", method="PUT"),
    _fault("no service", "service_is_deployed", "server:service", state="service-undeployed"),
    _fault("no route record", "route_is_deployed", "server:route", state="route-undeployed"),
    _fault(
        "JSON type",
        "content_type_is_accepted",
        "type",
        headers={"Content-Type": "application/json"},
    ),
    _fault("no type", "content_type_is_accepted", "type", headers={"Content-Type": None}),
    _fault("gzip", "content_type_is_accepted", "coding", headers={"Content-Encoding": "gzip"}),
    _fault(
        "over the limit",
        "body_is_within_the_limit",
        "size",
        body=f"${{encoded|fill:{BODY_LIMIT + 1}}}",
    ),
    _fault("no base64", "body_is_base64", "size content params", body="!!!!"),
    _fault("no JSON", "body_is_json", "content params", content=("text", "{")),
    _fault("no body", "params_are_passed", "size content params", body=""),
    _fault("no params", "params_are_passed", "content params", content=("json", {})),
    _fault("unknown token", "token_is_known", "params:token", set={"token": "${unique}"}),
    _fault(
        "expired session",
        "session_is_live",
        "params:token",
        set={"token": "${token}"},
        state="session-too-old",
    ),
    _fault(
        "no role",
        "user_has_a_role",
        "params:token",
        set={"token": "${token}"},
        state="session-roleless",
    ),
    _fault(
        "no application", "required_params_are_passed", "params:application", drop=("application",)
    ),
    _fault("no client", "required_params_are_passed", "params:client", drop=("client",)),
    _fault("wrong type", "types_are_right", "params:enterprise", set={"enterprise": "yes"}),
    _fault("client not an object", "types_are_right", "params:client", set={"client": []}),
    _fault(
        "malformed address",
        "email_is_well_formed",
        "params:client.email",
        set={"client.email": "${unique}"},
    ),
    _fault(
        "unknown company",
        "company_is_known",
        "params:client.company_id",
        set={"client.company_id": UNKNOWN_COMPANY},
    ),
    _fault(
        "unknown application",
        "application_is_known",
        "params:application",
        set={"application": "${unique}"},
    ),
    _fault("unknown view", "views_are_known", "params:view", set={"view": "${unique}"}),
    _fault(
        "taken address",
        "email_is_free",
        "params:client.email",
        set={"client.email": "${client.email}"},
        state="client",
    ),
    _fault(
        "no password",
        "required_client_fields_are_passed",
        "params:client.password",
        drop=("client.password",),
    ),
    _fault(
        "long name",
        "lengths_are_kept",
        "params:client.last_name",
        set={"client.last_name": "${x*256}"},
    ),
    _fault(
        "NUL in the password",
        "password_can_be_hashed",
        "params:client.password",
        set={"client.password": "a\0b"},
    ),
    _fault(
        "not proven",
        "user_is_proven",
        "params:client.email",
        set={"client.email": "${user.email}"},
        state="liaison",
    ),
    _fault(
        "crash in the handler",
        "nothing_unforeseen_happens",
        "server:crash",
        state="crash-in-handler",
    ),
    _fault("failing mail", "welcome_mail_is_sent", "server:mail", state="mail-failing"),
)


def can_combine(faults: tuple[RequestFault, ...]) -> bool:
    """Tells whether one request can have all these faults."""
    return all(_are_independent(one, other) for one, other in combinations(faults, 2))


def _are_independent(one: RequestFault, other: RequestFault) -> bool:
    if one.parts & other.parts or (one.state and one.state == other.state):
        return False
    for outer, inner in ((one, other), (other, one)):
        for part in inner.parts:
            # A fault in the parameters needs parameters, and one in the client a client.
            containers = (_PARAMS, part.rpartition(".")[0])
            if part.startswith("params:") and outer.parts.intersection(containers):
                return False
    return True


def combinations_of(size: int) -> Iterator[tuple[RequestFault, ...]]:
    """Yields all sets of `size` faults that can be combined."""
    return (chosen for chosen in combinations(FAULTS, size) if can_combine(chosen))


def build_send(faults: tuple[RequestFault, ...]) -> RequestTemplate:
    """Builds the request with all these faults."""
    merged: dict[str, Any] = {}
    changes: dict[str, Any] = {}
    for fault in faults:
        changes.update(fault.set)
        for name in ("content", "body", "path", "method"):
            value = getattr(fault, name)
            if value is not None:
                merged[name] = value
    return RequestTemplate(
        set=changes,
        drop=tuple(path for fault in faults for path in fault.drop),
        headers={name: value for fault in faults for name, value in fault.headers.items()},
        **merged,
    )


@dataclass
class PrecedenceMatrix:
    """The status of each combination of one, two or three faults.

    `wrong` are those that contradict the spec, `skipped` those with states that the target cannot
    reach, with the reason.
    """

    statuses: dict[tuple[str, ...], str] = field(default_factory=dict)
    wrong: set[tuple[str, ...]] = field(default_factory=set)
    skipped: dict[tuple[str, ...], str] = field(default_factory=dict)

    def record(self, names: tuple[str, ...], slug: str, findings: Sequence[Finding]) -> None:
        """Records the status of a combination, and whether `findings` say that it is wrong."""
        self.statuses[names] = slug
        if any(each.what == STATUS for each in findings):
            self.wrong.add(names)

    def to_dict(self) -> dict[str, Any]:
        """Returns the matrix as a report shows it."""
        return {
            "faults": [each.name for each in FAULTS],
            "probes": [
                {"faults": list(names), "status": slug, "as_expected": names not in self.wrong}
                for names, slug in self.statuses.items()
            ],
            "not_arranged": len(self.skipped),
        }


async def send_combination(
    checker: Checker, faults: tuple[RequestFault, ...], matrix: PrecedenceMatrix
) -> None:
    """Sends a request with all `faults`, and records its status.

    Raises ContractViolation, after restoring the target.
    """
    names = tuple(each.name for each in faults)
    values = checker.run.new_values()
    # Faults of the server come last, because they would prevent arranging users.
    ordered = sorted(faults, key=lambda fault: fault.of_server)
    states = tuple(fault.state for fault in ordered if fault.state is not None)
    model = checker.model
    try:
        for fault in ordered:
            if fault.state is not None:
                register = checker.register(LAYER, values)
                await checker.arranger.arrange(fault.state, values, register)
                model.arrange(fault.state, values.snapshot())
            if fault.rule == "welcome_mail_is_sent":
                model.mail_failures = 1
            elif fault.of_server:
                model.broken.add(fault.rule)
        exchange, findings = await checker.send(LAYER, build_send(faults), values)
        matrix.record(names, checker.describe_status(exchange), findings)
    except (NotArranged, ArrangementFailed) as reason:
        matrix.skipped[names] = str(reason)
    except ContractViolation as violation:
        status = checker.describe_status(violation.exchange)
        matrix.record(names, status, violation.findings)
        violation.about = " and ".join(names)
        violation.states = states
        raise
    finally:
        model.broken.clear()
        model.mail_failures = 0
        await checker.arranger.restore(states)
