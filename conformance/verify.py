"""`clients-register verify`: judges a server, prints what was found, writes reports."""

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from clients_register.conformance import asking, deciding, fuzz, probing, recording
from clients_register.conformance.findings import Result
from clients_register.conformance.model import Case
from clients_register.conformance.progress import Progress
from clients_register.conformance.running import Runner
from clients_register.conformance.target import Target
from clients_register.conformance.verdicts import Exit, Verdict
from clients_register.spec.statuses import load_statuses

# Verdicts that are counted while somebody watches.
FAILED = (Verdict.FAIL, Verdict.ERROR, Verdict.UNEXPECTED_PASS)


def main(argv: list[str]) -> int:
    """Judges the target that `argv` names; returns the exit code."""
    parser = asking.parser("verify", "Judge a server that claims the route, over HTTP.")
    parser.add_argument(
        "--strict", action="store_true", help="fail on what siblings show and on what we chose, too"
    )
    parser.add_argument(
        "--fuzz",
        dest="requests",
        nargs="?",
        type=asking.positive,
        const=fuzz.REQUESTS,
        metavar="N",
        help=f"look for what no case foresaw, too, in N requests (default: {fuzz.REQUESTS})",
    )
    fuzz.add_seed(parser)
    parser.set_defaults(seconds=None, layer=None, first=False)
    asking.add_reports(parser)
    options = parser.parse_args(argv)
    return asking.guarded("verify", lambda: _verify(options))


def _verify(options: argparse.Namespace) -> int:
    cases = asking.cases_of(options)
    if options.requests is not None:
        fuzz.ready(options)
    target = asking.target_of(options)
    known = load_statuses()
    started, clock = datetime.now(UTC), time.perf_counter()
    results, ended = asyncio.run(judge(cases, target, options))
    whole = not options.only
    evidence = deciding.evidence(results, target, whole=whole, interrupted=not ended)
    explores = options.requests is not None and ended
    found = fuzz.explore(target, options) if explores else None
    results += found.results if found else []
    decision = deciding.decide(results, evidence, strict=options.strict)
    if found and decision[0] is Exit.GOOD:
        # What the cases show says nothing of a campaign that did not come to its end.
        campaign = found.decision(strict=options.strict)
        decision = decision if campaign[0] is Exit.GOOD else campaign
    run = recording.Run(
        started=started,
        seconds=time.perf_counter() - clock,
        strict=options.strict,
        command=_again(options),
        evidence=evidence,
        decision=decision,
        fuzz=found.told if found else None,
        created=found.created if found else {},
    )
    return asking.reported(recording.report(results, target, known, run), options)


async def judge(
    cases: Sequence[Case], target: Target, options: argparse.Namespace
) -> tuple[list[Result], bool]:
    """The results of `cases` on `target`, and whether the run was completed.

    Raises Unreachable, ProfileError.
    """
    known = load_statuses()
    probing.is_this_api(await probing.smoke(target, known), target)
    progress = Progress(wanted=not options.quiet)
    counts: Counter[Verdict] = Counter()

    def heard(result: Result) -> None:
        counts[result.verdict] += 1
        failed = sum(counts[each] for each in FAILED)
        progress.at(counts.total(), len(cases), f"{failed} failed")

    runner = Runner(cases, target, known, asking.control_token(), heard)
    ended = await runner.go_until_cancelled()
    progress.end()
    return runner.results, ended


def _again(options: argparse.Namespace) -> list[str]:
    """The command by which the same target is judged again, whatever the choice of cases."""
    target = [options.url] if options.url else ["--profile", str(options.profile)]
    return ["verify", *target, *(["--strict"] if options.strict else [])]
