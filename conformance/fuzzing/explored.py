"""A whole exploration of one target: the corpus again, then a campaign, and what came of both."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients_register.conformance.findings import Result
from clients_register.conformance.fuzzing import corpus, recorded, running
from clients_register.conformance.fuzzing.campaign import GONE, INTERRUPTED, SPENT, Plan
from clients_register.conformance.running import Runner
from clients_register.conformance.target import Target
from clients_register.conformance.verdicts import Exit, Verdict, violations
from clients_register.conformance.writing import write
from clients_register.spec.statuses import StatusTable


@dataclass(frozen=True)
class Explored:
    """The result of a campaign.

    `told` is its part of a report, `kept` are new cases, `lost` tells of those that could not be.
    """

    results: list[Result]
    told: Mapping[str, Any]
    created: Mapping[str, int | None]
    kept: Sequence[Path]
    lost: Sequence[str] = ()

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
            return Exit.TOO_LITTLE, f"{ended}; nothing was judged {looked}"
        if told["ended"] != SPENT:
            return Exit.TOO_LITTLE, f"{ended}; nothing wrong was found {looked}"
        return Exit.GOOD, f"nothing wrong was found {looked}"


def explore(
    target: Target, statuses: StatusTable, plan: Plan, folder: Path, command: Sequence[str]
) -> Explored:
    """Replays the cases in `folder`, and runs a campaign, whose faults become cases there.

    `command` is that which makes the same campaign. Raises CaseError, ProfileError.
    """
    known = corpus.read(folder)
    runner = Runner(known, target, statuses, plan.control_token)
    ended = asyncio.run(runner.go_until_cancelled())
    replayed = runner.results
    for each in replayed:
        each.rerun = tuple(command)
    with running.campaign(target, statuses, plan) as campaign:
        how, why = running.go(campaign) if ended else (INTERRUPTED, "")
        texts = dict(corpus.texts(campaign.violations, folder))
        lost = write(texts)
        return Explored(
            [*replayed, *recorded.results(campaign, command, how)],
            recorded.told(campaign, statuses, how, why),
            campaign.tally.created,
            [path for path in texts if path.exists()],
            lost,
        )
