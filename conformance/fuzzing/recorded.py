"""What a campaign came to, as results that a report can hold beside those of cases."""

from collections.abc import Sequence
from typing import Any

from clients_register.conformance.findings import Result
from clients_register.conformance.fuzzing import AREA, LAYERS
from clients_register.conformance.fuzzing.campaign import Campaign
from clients_register.conformance.fuzzing.corpus import name
from clients_register.conformance.fuzzing.violation import Violation
from clients_register.conformance.model import Case
from clients_register.conformance.verdicts import Verdict, worst
from clients_register.spec.statuses import StatusTable


def results(campaign: Campaign, command: Sequence[str], ended: str) -> list[Result]:
    """One for each layer, and one for each fault; `command` is the campaign once more.

    A layer that did not come to its end shows nothing; `ended` tells why.
    """
    told = []
    for layer in campaign.plan.names:
        case = Case(f"{AREA}/{layer}", AREA, LAYERS[layer].about.capitalize())
        finished = layer in campaign.finished
        told.append(
            Result(
                case,
                Verdict.PASS if finished else Verdict.NOT_ARRANGED,
                reason=None if finished else ended,
                rerun=(*command, "--layer", layer),
            )
        )
        told += [
            _fault(each, (*command, "--layer", layer))
            for each in campaign.violations
            if each.layer == layer
        ]
    return told


def _fault(violation: Violation, command: Sequence[str]) -> Result:
    case = Case(f"{AREA}/{name(violation)}", AREA, f"{violation.layer}: {violation.mark}")
    return Result(
        case,
        worst(each.verdict for each in violation.findings),
        reason=violation.about or None,
        findings=violation.findings,
        exchanges=[violation.exchange],
        rerun=tuple(command),
    )


def told(campaign: Campaign, statuses: StatusTable, ended: str, why: str) -> dict[str, Any]:
    """The part of a report that is about the campaign as a whole."""
    requests = campaign.run.gate.requests
    return {
        "seed": campaign.plan.seed,
        "requests": requests,
        "seconds": round(campaign.seconds, 3),
        "ended": ended,
        "why": why,
        **campaign.tally.told(statuses),
        "order": campaign.matrix.told(),
    }
