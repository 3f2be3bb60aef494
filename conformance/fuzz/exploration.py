"""Replays the corpus on a target, runs a campaign, and turns both into results for a report."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clients_register.conformance.case import Case
from clients_register.conformance.control import describe_leftovers
from clients_register.conformance.decision import ExitCode
from clients_register.conformance.files import write_files
from clients_register.conformance.fuzz import AREA, LAYERS, corpus
from clients_register.conformance.fuzz.campaign import (
    DEFECTIVE,
    GONE,
    INTERRUPTED,
    SPENT,
    Campaign,
    Plan,
    new_campaign,
)
from clients_register.conformance.fuzz.checker import ContractViolation
from clients_register.conformance.fuzz.layers import run_layers
from clients_register.conformance.results import Result, Verdict, fails_run, pluralize, worst
from clients_register.conformance.runner import SuiteRunner
from clients_register.conformance.target import Target
from clients_register.spec.statuses import StatusTable


@dataclass(frozen=True)
class CampaignResult:
    """The result of a campaign.

    `summary` is its part of a report, `created` the clients that may remain (address to id),
    `saved` the new cases in the corpus, `failures` why others could not be saved, `warnings` what
    was not cleaned up.
    """

    results: list[Result]
    summary: Mapping[str, Any]
    created: Mapping[str, int | None]
    saved: Sequence[Path]
    failures: Sequence[str] = ()
    warnings: Sequence[str] = ()

    def decide(self, *, strict: bool) -> tuple[ExitCode, str]:
        """Returns the exit code, and a sentence that explains it."""
        summary = self.summary
        why = summary["why"]
        ended = f"{summary['ended']} ({why})" if why else summary["ended"]
        extent = f"in {pluralize(summary['requests'], 'request')} (seed {summary['seed']})"
        # A layer that found a fault has no findings of its own.
        failing = [
            each for each in self.results if each.findings and fails_run(each, strict=strict)
        ]
        unjudged = any(each.verdict is Verdict.ERROR for each in self.results)
        defective = summary["ended"] in (GONE, DEFECTIVE) or unjudged
        if failing and summary["ended"] != DEFECTIVE:
            found = f"the target violates the contract: {pluralize(len(failing), 'fault')} {extent}"
            more = f"; and not everything could be judged: {ended}" if defective else ""
            return ExitCode.VIOLATION, found + more
        if defective:
            return ExitCode.DEFECT, f"not everything could be judged: {ended}; searched {extent}"
        if summary["overloaded"]:
            return ExitCode.DEFECT, (
                f"{summary['overloaded']} responses came from an overloaded server or proxy;"
                f" nothing wrong was found in the others, {extent}"
            )
        if not summary["layers"] and not summary["unparseable"]:
            return ExitCode.INCONCLUSIVE, f"{ended}; nothing was judged {extent}"
        if summary["ended"] != SPENT:
            return ExitCode.INCONCLUSIVE, f"{ended}; nothing wrong was found {extent}"
        unreached = [
            layer
            for layer in LAYERS
            for each in self.results
            if each.case.id == f"{AREA}/{layer}" and each.verdict is Verdict.NOT_ARRANGED
        ]
        left_out = f"; the budget did not reach {', '.join(unreached)}" if unreached else ""
        return ExitCode.SUCCESS, f"nothing wrong was found {extent}{left_out}"


def explore(
    target: Target, statuses: StatusTable, plan: Plan, folder: Path, command: Sequence[str]
) -> CampaignResult:
    """Replays the corpus in `folder` and runs a campaign, whose violations are added there.

    The seconds of the budget include the replay. Its requests do not, so that a seed and a number
    of requests determine the campaign. `command` is the one that repeats it. Raises CaseError,
    ProfileError.
    """
    limiter = plan.limiter or target.limiter(plan.budget.requests)
    plan, started = replace(plan, limiter=limiter), plan.clock()
    cases = corpus.load_corpus(folder)
    runner = SuiteRunner(cases, target, statuses, plan.control_token, limiter=limiter)
    with limiter.within(lambda: plan.is_time_up(started)):
        completed = asyncio.run(runner.run_until_cancelled())
    replayed = runner.results
    for each in replayed:
        each.rerun = tuple(command)
    with new_campaign(target, statuses, plan, started) as campaign:
        if completed:
            ended, why = run_layers(campaign)
        elif runner.defect is not None:
            ended, why = DEFECTIVE, runner.defect
        else:
            ended, why = INTERRUPTED, ""
        texts = dict(corpus.render_cases(campaign.violations, folder))
        failures = write_files(texts)
        return CampaignResult(
            [*replayed, *_layer_results(campaign, command, ended)],
            _summarize(campaign, statuses, ended, why),
            campaign.coverage.created,
            [path for path in texts if path.exists()],
            failures,
            [*runner.warnings, *describe_leftovers(campaign.sandboxes.leftovers)],
        )


def _layer_results(campaign: Campaign, command: Sequence[str], ended: str) -> list[Result]:
    """Returns a result for each layer, as bad as what it found, and each violation.

    A layer that found nothing and did not run to its end proves nothing; `ended` says why.
    """
    results = []
    for layer in campaign.plan.layers:
        rerun = (*command, "--layer", layer)
        found = [
            _violation_result(each, rerun) for each in campaign.violations if each.layer == layer
        ]
        verdict, reason = Verdict.PASS, None
        if found:
            verdict = worst(each.verdict for each in found)
            reason = f"found {pluralize(len(found), 'fault')}"
        elif layer not in campaign.finished:
            verdict, reason = Verdict.NOT_ARRANGED, ended
        case = Case(f"{AREA}/{layer}", AREA, LAYERS[layer].about.capitalize())
        results += [Result(case, verdict, reason=reason, rerun=rerun), *found]
    return results


def _violation_result(violation: ContractViolation, rerun: tuple[str, ...]) -> Result:
    title = f"{violation.layer}: {violation.signature}"
    unshrunk = violation.unshrunk and f"not shrunk to the end: {violation.unshrunk}"
    return Result(
        Case(f"{AREA}/{corpus.case_name(violation)}", AREA, title),
        worst(each.verdict for each in violation.findings),
        reason="; ".join(filter(None, (violation.about, unshrunk))) or None,
        findings=violation.findings,
        exchanges=[violation.exchange],
        rerun=rerun,
    )


def _summarize(campaign: Campaign, statuses: StatusTable, ended: str, why: str) -> dict[str, Any]:
    return {
        "seed": campaign.plan.seed,
        "requests": campaign.requests,
        "seconds": round(campaign.seconds, 3),
        "ended": ended,
        "why": why,
        **campaign.coverage.to_dict(statuses),
        "order": campaign.matrix.to_dict(),
    }
