"""`clients-register fuzz`: looks for faults that no case foresaw, and tells how far it looked."""

import argparse
import asyncio
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clients_register.conformance import asking, probing, recording
from clients_register.conformance.deciding import Evidence
from clients_register.conformance.fuzzing import LAYERS
from clients_register.conformance.progress import Progress
from clients_register.conformance.reporting.campaign import matrix
from clients_register.conformance.target import Target
from clients_register.conformance.writing import keeps, writable
from clients_register.spec.statuses import load_statuses

if TYPE_CHECKING:
    from clients_register.conformance.fuzzing.explored import Explored

REQUESTS = 2000
CORPUS = Path("clients-register-fuzz")

ABOUT = """\
Look for faults that no case foresaw: requests by the thousand, judged by an oracle that reads the
contract. Each fault is made as small as it goes and kept as a case in the corpus, which is replayed
first. The same seed and number of requests make the same campaign.
"""
LACKING = (
    "fuzzing needs Hypothesis and Schemathesis: pip install 'clients-register[fuzz]' (in this"
    " repository: pip install '.[fuzz]')"
)


def main(argv: list[str]) -> int:
    """Runs a campaign on the target that `argv` names; returns the exit code."""
    parser = asking.parser("fuzz", ABOUT, cases=False)
    parser.add_argument(
        "--requests",
        type=asking.positive,
        default=REQUESTS,
        metavar="N",
        help=f"end after so many (default: {REQUESTS})",
    )
    parser.add_argument(
        "--seconds", type=asking.seconds, metavar="N", help="end after so many, if earlier"
    )
    parser.add_argument(
        "--layer",
        action="append",
        choices=list(LAYERS),
        help="only this part of a campaign; may be repeated. "
        + "; ".join(f"{name}: {layer.about}" for name, layer in LAYERS.items()),
    )
    add_seed(parser)
    parser.add_argument(
        "--strict", action="store_true", help="fail on what siblings show and on what we chose, too"
    )
    parser.add_argument("--first", action="store_true", help="end with the first fault")
    parser.add_argument(
        "--order", type=writable, metavar="FILE", help="write which error wins of every two: CSV"
    )
    asking.add_reports(parser)
    options = parser.parse_args(argv)
    return asking.guarded("fuzz", lambda: _fuzz(options))


def add_seed(parser: argparse.ArgumentParser) -> None:
    """The options of a campaign that is to be the same as another."""
    parser.add_argument(
        "--seed", type=int, metavar="N", help="of a campaign to be run again (default: a new one)"
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        default=CORPUS,
        metavar="DIR",
        help=f"where faults are kept as cases, and replayed from (default: {CORPUS})",
    )


def _fuzz(options: argparse.Namespace) -> int:
    ready(options)
    target = asking.target_of(options)
    known = load_statuses()
    probing.is_this_api(asyncio.run(probing.smoke(target, known)), target)
    started, clock = datetime.now(UTC), time.perf_counter()
    found = explore(target, options)
    whole = recording.Run(
        started=started,
        seconds=time.perf_counter() - clock,
        strict=options.strict,
        command=again(options),
        evidence=Evidence(0, 0, 0.0, whole=False),
        decision=found.decision(strict=options.strict),
        fuzz=found.told,
        created=found.created,
    )
    report = recording.report(found.results, target, known, whole)
    order = {} if options.order is None else {options.order: matrix(found.told["order"])}
    code = asking.reported(report, options, order)
    if found.kept and not options.quiet:
        print("kept as cases:", *found.kept, sep="\n  ")
    return code


def ready(options: argparse.Namespace) -> None:
    """Sees, before anything is sent, that a campaign can be run, and its faults kept.

    Raises Lacking, CaseError, Unwritable.
    """
    try:
        from clients_register.conformance.fuzzing import corpus, explored  # noqa: F401
    except ModuleNotFoundError as lacking:
        raise asking.Lacking(f"{LACKING}; found no {lacking.name}") from None

    corpus.read(options.corpus)
    keeps(options.corpus)


def explore(target: Target, options: argparse.Namespace) -> "Explored":
    """Runs the campaign that `options` ask for, for which all is `ready`. Raises ProfileError."""
    from clients_register.conformance.fuzzing import explored
    from clients_register.conformance.fuzzing.campaign import Budget, Plan

    if options.seed is None:
        options.seed = secrets.randbelow(1_000_000)
    progress = Progress(wanted=not options.quiet)

    def heard(campaign: Any, layer: str) -> None:
        words = f"{layer}  {len(campaign.violations)} faults"
        progress.at(campaign.run.gate.requests, options.requests, words)

    plan = Plan(
        tuple(options.layer or LAYERS),
        options.seed,
        Budget(options.requests, options.seconds),
        strict=options.strict,
        first=options.first,
        control_token=asking.control_token(),
        heard=heard,
    )
    try:
        found = explored.explore(target, load_statuses(), plan, options.corpus, again(options))
    finally:
        progress.end()
    for fault in found.lost:
        print(f"clients-register: {fault}; the report tells it, too", file=sys.stderr)
    return found


def again(options: argparse.Namespace) -> list[str]:
    """The command that makes the same campaign."""
    target = [options.url] if options.url else ["--profile", str(options.profile)]
    strict = ["--strict"] if options.strict else []
    return [
        "fuzz",
        *target,
        "--seed",
        str(options.seed),
        "--requests",
        str(options.requests),
        *strict,
    ]
