"""The command `fuzz`: searches for faults that no case covers, and reports how far it got."""

import argparse
import asyncio
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from clients_register.conformance import cli
from clients_register.conformance.control import control_token
from clients_register.conformance.decision import Evidence
from clients_register.conformance.detection import SMOKE_REQUESTS
from clients_register.conformance.files import OutputFiles, check_directory, writable_file
from clients_register.conformance.fuzz import LAYERS
from clients_register.conformance.report.build import RunSummary, build_report
from clients_register.conformance.report.campaign_tables import render_precedence_csv
from clients_register.conformance.runner import bound_requests
from clients_register.conformance.target import Limiter, Target
from clients_register.spec.statuses import load_statuses

if TYPE_CHECKING:
    from clients_register.conformance.fuzz.campaign import Campaign
    from clients_register.conformance.fuzz.exploration import CampaignResult

DEFAULT_REQUESTS = 2000
DEFAULT_CORPUS = Path("clients-register-fuzz")

DESCRIPTION = """\
Search for faults that no case covers: thousands of generated requests, judged by an oracle that
reads the contract. Each fault is shrunk and saved as a case in the corpus, which is replayed first.
The same seed and number of requests give the same campaign.
"""
MISSING = (
    "fuzzing needs Hypothesis and Schemathesis: pip install 'clients-register[fuzz]' (in this"
    " repository: pip install '.[fuzz]')"
)


def main(argv: list[str]) -> int:
    """Runs a campaign on a target; returns the exit code."""
    parser = cli.new_parser("fuzz", DESCRIPTION, takes_cases=False)
    parser.add_argument(
        "--requests",
        type=cli.positive_int,
        default=DEFAULT_REQUESTS,
        metavar="N",
        help="send at most this many requests, apart from those of the smoke test and those that"
        f" replay the corpus (default: {DEFAULT_REQUESTS})",
    )
    parser.add_argument(
        "--seconds",
        type=cli.positive_seconds,
        metavar="N",
        help="end after this many seconds, if earlier; they include the replay of the corpus",
    )
    parser.add_argument(
        "--layer",
        action="append",
        choices=list(LAYERS),
        help="only this part of a campaign; may be repeated. "
        + "; ".join(f"{name}: {layer.about}" for name, layer in LAYERS.items()),
    )
    add_campaign_options(parser)
    parser.add_argument(
        "--strict", action="store_true", help="fail on expectations of weaker evidence, too"
    )
    cli.add_wait_option(parser)
    parser.add_argument("--first", action="store_true", help="end with the first fault")
    parser.add_argument(
        "--order",
        type=writable_file,
        metavar="FILE",
        help="write which of two errors takes precedence, as CSV",
    )
    cli.add_report_options(parser)
    options = parser.parse_args(argv)
    return cli.run_command("fuzz", lambda: _fuzz(options))


def add_campaign_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that `verify --fuzz` has, too."""
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="repeat the campaign of this seed (default: a new one)",
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        default=DEFAULT_CORPUS,
        metavar="DIR",
        help=f"where faults are saved as cases, and replayed from (default: {DEFAULT_CORPUS})",
    )


def _fuzz(options: argparse.Namespace) -> int:
    check_prerequisites(options)
    with cli.open_report_files(options, options.order) as output_files:
        return _explore(cli.responding_target_from(options), options, output_files)


def _explore(target: Target, options: argparse.Namespace, output_files: OutputFiles) -> int:
    statuses = load_statuses()
    announce(target, options)
    asyncio.run(cli.check_target(target))
    started, clock = datetime.now(UTC), time.perf_counter()
    result = run_campaign(target, options)
    summary = RunSummary(
        started=started,
        seconds=time.perf_counter() - clock,
        strict=options.strict,
        command=repeat_command(options),
        evidence=Evidence(0, 0, 0.0, complete=False),
        decision=result.decide(strict=options.strict),
        campaign=result.summary,
        created=result.created,
        warnings=result.warnings,
    )
    report = build_report(result.results, target, statuses, summary)
    order = {}
    if options.order is not None:
        order[options.order] = render_precedence_csv(result.summary["order"])
    code = cli.output_report(report, options, output_files, order)
    if result.saved and not options.quiet:
        saved = (f"\n  {path}" for path in result.saved)
        cli.print_text(f"saved as cases:{''.join(saved)}\n")
    return code


def check_prerequisites(options: argparse.Namespace) -> None:
    """Checks, before anything is sent, that a campaign can run and its faults can be saved.

    Raises MissingDependency, CaseError, NotWritable.
    """
    try:
        from clients_register.conformance.fuzz import corpus, exploration  # noqa: F401
    except ModuleNotFoundError as missing:
        raise cli.MissingDependency(f"{MISSING}; found no {missing.name}") from None

    corpus.load_corpus(options.corpus)
    check_directory(options.corpus)


def announce(target: Target, options: argparse.Namespace) -> None:
    """Announces how many requests a campaign sends at most, before any of them."""
    if options.quiet:
        return
    from clients_register.conformance.fuzz.corpus import load_corpus

    cases = load_corpus(options.corpus)
    replayed = bound_requests(cases, target).requests
    seconds = f" in {options.seconds:g} seconds" if options.seconds is not None else ""
    corpus = (
        f" and at most {replayed} that replay {len(cases)} cases of the corpus" if cases else ""
    )
    cli.print_error(
        f"the campaign sends at most {options.requests:,} requests{seconds}, after at"
        f" most {SMOKE_REQUESTS} of the smoke test{corpus}"
    )


def run_campaign(
    target: Target, options: argparse.Namespace, limiter: Limiter | None = None
) -> "CampaignResult":
    """Runs the campaign of the options, after `check_prerequisites`. Raises ProfileError.

    `limiter` is that of the cases before, if there are any.
    """
    from clients_register.conformance.fuzz.campaign import Budget, Plan
    from clients_register.conformance.fuzz.exploration import explore

    if options.seed is None:
        options.seed = secrets.randbelow(1_000_000)
    progress = cli.ProgressBar(enabled=not options.quiet)

    def on_progress(campaign: "Campaign", layer: str) -> None:
        words = f"{layer}  {len(campaign.violations)} faults"
        progress.update(campaign.requests, options.requests, words)

    plan = Plan(
        tuple(options.layer or LAYERS),
        options.seed,
        Budget(options.requests, options.seconds),
        strict=options.strict,
        first=options.first,
        control_token=control_token(),
        limiter=limiter,
        on_progress=on_progress,
    )
    try:
        result = explore(target, load_statuses(), plan, options.corpus, repeat_command(options))
    finally:
        progress.close()
    for failure in result.failures:
        cli.print_error(f"clients-register: {failure}; it is in the report, too")
    return result


def repeat_command(options: argparse.Namespace) -> list[str]:
    """Returns the command that repeats the campaign."""
    return [
        "fuzz",
        *cli.rerun_arguments(options),
        "--seed",
        str(options.seed),
        "--requests",
        str(options.requests),
        *(["--strict"] if options.strict else []),
    ]
