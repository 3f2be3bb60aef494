"""Sends the probes of `order`, and tells which status won: a matrix of pairs, and surprises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clients_register.conformance.arranging import NotArranged
from clients_register.conformance.composing import Values
from clients_register.conformance.envelope import ABSENT
from clients_register.conformance.findings import Finding
from clients_register.conformance.fuzzing.examining import Examiner, slug_of
from clients_register.conformance.fuzzing.modelled import arranged
from clients_register.conformance.fuzzing.order import FAULTS, Planted, send
from clients_register.conformance.fuzzing.violation import STATUS, Violation
from clients_register.conformance.model import Send

LAYER = "order"


@dataclass
class Matrix:
    """Which status answered, for one fault, two or three; `wrong` are those that the spec has not.

    `skipped` tells of states that the target cannot be brought to.
    """

    won: dict[tuple[str, ...], str] = field(default_factory=dict)
    wrong: set[tuple[str, ...]] = field(default_factory=set)
    skipped: dict[tuple[str, ...], str] = field(default_factory=dict)

    def note(self, names: tuple[str, ...], slug: str, findings: Sequence[Finding]) -> None:
        """Notes who won; that it is not as the spec has it stands among the `findings`, if so."""
        self.won[names] = slug
        if any(each.what == STATUS for each in findings):
            self.wrong.add(names)

    def told(self) -> dict[str, Any]:
        """As a report has it."""
        return {
            "faults": [each.name for each in FAULTS],
            "probes": [
                {"faults": list(names), "status": slug, "as_expected": names not in self.wrong}
                for names, slug in self.won.items()
            ],
            "not_arranged": len(self.skipped),
        }


async def probe(examiner: Examiner, faults: tuple[Planted, ...], matrix: Matrix) -> None:
    """Has all `faults` come together, and notes who wins. Raises Violation, after tidying up."""
    names = tuple(each.name for each in faults)
    values = examiner.values()
    # People first, and what is of the server last, so that it is not in the way of arranging.
    ordered = sorted(faults, key=lambda fault: fault.of_server)
    states = [fault.state for fault in ordered if fault.state is not None]
    world = examiner.world
    try:
        for fault in ordered:
            if fault.state is not None:
                await examiner.arranger.reach(fault.state, values, registering(examiner, values))
                arranged(world, fault.state, values.given())
            if fault.of_server:
                _break(world, fault)
        exchange, findings = await examiner.ask(LAYER, send(faults), values)
        matrix.note(names, slug_of(exchange, examiner.run), findings)
    except NotArranged as reason:
        matrix.skipped[names] = str(reason)
    except Violation as violation:
        matrix.note(names, slug_of(violation.exchange, examiner.run), violation.findings)
        violation.about = " and ".join(names)
        violation.states = tuple(states)
        raise
    finally:
        world.broken.clear()
        world.mail_failures = 0
        await examiner.arranger.restore(tuple(states))


def registering(examiner: Examiner, values: Values) -> Any:
    """How a fresh client is registered through the route, for states that need one."""

    async def register(email: str, password: str) -> Mapping[str, Any]:
        values.keep({"arranged.email": email, "arranged.password": password})
        changes = {"client.email": "${arranged.email}", "client.password": "${arranged.password}"}
        exchange, _ = await examiner.ask(LAYER, Send(set=changes), values)
        token = examiner.run.target.layout.find(exchange.envelope, "/session/token")
        return {"token": token} if token is not ABSENT else {}

    return register


def _break(world: Any, fault: Planted) -> None:
    if fault.fact == "welcome_mail_is_sent":
        world.mail_failures = 1
    else:
        world.broken.add(fault.fact)
