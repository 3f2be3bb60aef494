"""A whole exploration of one target: the corpus again, then a campaign, and what came of both."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients_register.conformance.findings import Result
from clients_register.conformance.fuzzing import corpus, recorded, running
from clients_register.conformance.fuzzing.campaign import GONE, SPENT, Plan
from clients_register.conformance.running import run
from clients_register.conformance.target import Target
from clients_register.conformance.verdicts import Exit, Verdict, violations
from clients_register.spec.catalogue import Catalogue


@dataclass(frozen=True)
class Explored:
    """What an exploration came to. `told` is its part of a report, `kept` are new cases."""

    results: list[Result]
    told: Mapping[str, Any]
    created: Mapping[str, int | None]
    kept: Sequence[Path]

    def decision(self, *, strict: bool) -> tuple[Exit, str]:
        """The exit code, and why."""
        told = self.told
        looked = f"in {told['requests']:,} requests (seed {told['seed']})"
        bad = [each for each in self.results if each.verdict in violations(strict=strict)]
        if bad:
            return Exit.VIOLATION, f"the target violates the contract: {len(bad)} faults {looked}"
        ended = f"{told['ended']} ({told['why']})" if told["why"] else told["ended"]
        lost = any(each.verdict is Verdict.ERROR for each in self.results)
        if told["ended"] == GONE or lost:
            return Exit.DEFECT, f"not all could be judged: {ended}; looked {looked}"
        if told["overloaded"]:
            return Exit.DEFECT, (
                f"{told['overloaded']} answers came from what is overloaded, and not from the"
                f" target; nothing wrong was found in the others, {looked}"
            )
        if not told["layers"] and not told["unparseable"]:
            return Exit.TOO_LITTLE, f"nothing was judged {looked}"
        if told["ended"] != SPENT:
            return Exit.TOO_LITTLE, f"{ended}; nothing wrong was found {looked}"
        return Exit.GOOD, f"nothing wrong was found {looked}"


def explore(
    target: Target, catalogue: Catalogue, plan: Plan, folder: Path, command: Sequence[str]
) -> Explored:
    """Replays the cases in `folder`, and runs a campaign, whose faults become cases there.

    `command` is that which makes the same campaign. Raises CaseError, ProfileError, OSError.
    """
    known = corpus.read(folder)
    replayed = asyncio.run(run(known, target, catalogue, control_token=plan.control_token))
    for each in replayed:
        each.rerun = tuple(command)
    with running.campaign(target, catalogue, plan) as campaign:
        ended, why = running.go(campaign)
        kept = [corpus.write(each, folder) for each in campaign.violations]
        return Explored(
            [*replayed, *recorded.results(campaign, command, ended)],
            recorded.told(campaign, catalogue, ended, why),
            campaign.tally.created,
            [each for each in kept if each is not None],
        )
