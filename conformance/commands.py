"""The commands of the suite, apart from `fuzz`: verify, plan, smoke, list, trace, report."""

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from clients_register import spec
from clients_register.argument_parser import ArgumentParser
from clients_register.conformance import cli
from clients_register.conformance.case import LOCK_FILE, Case, load_cases, render_lock
from clients_register.conformance.control import control_token
from clients_register.conformance.decision import ExitCode, collect_evidence, decide
from clients_register.conformance.detection import SMOKE_REQUESTS, require_this_api, run_smoke_test
from clients_register.conformance.files import NotWritable, open_files, writable_file, write_files
from clients_register.conformance.fuzz import command as fuzz
from clients_register.conformance.report import (
    FORMATS,
    load_report,
    render_requested,
)
from clients_register.conformance.report.archive import render_archive
from clients_register.conformance.report.build import RunSummary, build_report
from clients_register.conformance.results import Result, Verdict
from clients_register.conformance.runner import (
    SuiteRunner,
    bound_requests,
    describe_defect,
    reason_not_claimed,
    runnable_cases,
)
from clients_register.conformance.target import Limiter, Target, target_for_url
from clients_register.spec.statuses import load_statuses

# Verdicts that the progress bar counts as failed.
FAILED = (Verdict.FAIL, Verdict.ERROR, Verdict.UNEXPECTED_PASS)

Requirements = Mapping[str, Mapping[str, Any]]


def verify(argv: list[str]) -> int:
    """`verify`: judges a server, prints the findings and writes reports; returns the exit code."""
    parser = cli.new_parser("verify", "Judge a server that implements the route, over HTTP.")
    parser.add_argument(
        "--strict", action="store_true", help="fail on expectations of weaker evidence, too"
    )
    parser.add_argument(
        "--fuzz",
        dest="requests",
        nargs="?",
        type=cli.positive_int,
        const=fuzz.DEFAULT_REQUESTS,
        metavar="N",
        help=f"also search for faults that no case covers, with at most N requests"
        f" (default: {fuzz.DEFAULT_REQUESTS})",
    )
    fuzz.add_campaign_options(parser)
    cli.add_wait_option(parser)
    parser.set_defaults(seconds=None, layer=None, first=False)
    cli.add_report_options(parser)
    parser.add_argument(
        "--har",
        type=writable_file,
        metavar="FILE",
        help="write all requests and responses as an HTTP Archive, without secrets",
    )
    options = parser.parse_args(argv)
    return cli.run_command("verify", lambda: _verify(options))


def _verify(options: argparse.Namespace) -> int:
    cases = cli.cases_from(options)
    if options.requests is not None:
        fuzz.check_prerequisites(options)
    with cli.open_report_files(options, options.har) as output_files:
        target = cli.responding_target_from(options)
        report, results = _judge(cases, target, options)
        extra = {} if options.har is None else {options.har: render_archive(results, target)}
        return cli.output_report(report, options, output_files, extra)


def _judge(
    cases: Sequence[Case], target: Target, options: argparse.Namespace
) -> tuple[dict[str, Any], list[Result]]:
    """Runs the cases and the campaign; returns the report, and the results it was made from.

    Raises Unreachable, ProfileError.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    limiter = target.limiter(options.requests or 0)
    if options.requests is not None:
        fuzz.announce(target, options)
    runner, completed = asyncio.run(run_suite(cases, target, limiter, options))
    results, warnings = runner.results, runner.warnings
    evidence = collect_evidence(
        results, target, complete=not options.only, interrupted=not completed
    )
    campaign, campaign_decision = None, (ExitCode.SUCCESS, "")
    if options.requests is not None and completed:
        try:
            campaign = fuzz.run_campaign(target, options, limiter)
        except Exception as error:  # noqa: BLE001 - the cases are reported nevertheless
            campaign_decision = ExitCode.DEFECT, f"fuzzing failed: {describe_defect(error)}"
        else:
            results += campaign.results
            warnings += campaign.warnings
            campaign_decision = campaign.decide(strict=options.strict)
    decision = decide(results, evidence, strict=options.strict)
    if decision[0] is ExitCode.SUCCESS and campaign_decision[0] is not ExitCode.SUCCESS:
        # The cases say nothing about a campaign that did not run to its end.
        decision = campaign_decision
    summary = RunSummary(
        started=started,
        seconds=time.perf_counter() - clock,
        strict=options.strict,
        command=[
            "verify",
            *cli.rerun_arguments(options),
            *(["--strict"] if options.strict else []),
        ],
        evidence=evidence,
        decision=decision,
        campaign=campaign.summary if campaign else None,
        created=campaign.created if campaign else {},
        warnings=warnings,
    )
    # The terminal shows only what needs attention.
    in_full = any(getattr(options, name) is not None for name in ("report", *FORMATS))
    return build_report(results, target, load_statuses(), summary, in_full=in_full), results


async def run_suite(
    cases: Sequence[Case], target: Target, limiter: Limiter, options: argparse.Namespace
) -> tuple[SuiteRunner, bool]:
    """Runs `cases`; returns the runner, which has the results, and whether the run was completed.

    Raises Unreachable, ProfileError.
    """
    await cli.check_target(target)
    progress = cli.ProgressBar(enabled=not options.quiet)
    counts: Counter[Verdict] = Counter()

    def on_result(result: Result) -> None:
        counts[result.verdict] += 1
        failed = sum(counts[each] for each in FAILED)
        progress.update(counts.total(), len(cases), f"{failed} failed")

    runner = SuiteRunner(cases, target, load_statuses(), control_token(), on_result, limiter)
    completed = await runner.run_until_cancelled()
    progress.close()
    return runner, completed


def plan(argv: list[str]) -> int:
    """`plan`: prints what `verify` would do to a target; returns the exit code."""
    parser = cli.new_parser("plan", "Show what `verify` would do to a target. Sends nothing.")
    parser.add_argument(
        "--stub", action="store_true", help="the URL is one of our stub, which claims everything"
    )
    options = parser.parse_args(argv)
    return cli.run_command("plan", lambda: _plan(options))


def _plan(options: argparse.Namespace) -> int:
    cases = cli.cases_from(options)
    # Detecting the target would send a request.
    target = cli.target_from(options, lambda url: target_for_url(url, control=options.stub))
    cli.print_text(cli.format_table(describe_plan(cases, target)))
    return 0


def describe_plan(cases: Sequence[Case], target: Target) -> list[tuple[str, str]]:
    """Returns the plan as names and values."""
    claimed = sum(reason_not_claimed(case, target) is None for case in cases)
    runnable = runnable_cases(cases, target)
    states = Counter(state for case in runnable for state in case.arrange)
    bound = bound_requests(cases, target)
    limits = target.limits
    pace = f"{limits.requests_per_second:g} a second" if limits.requests_per_second else "unlimited"
    clients = _describe_bound(bound.clients, limits.clients)
    return [
        ("target", target.name),
        ("route", target.url),
        ("hosts contacted", ", ".join(target.hosts)),
        ("claims", ", ".join(target.claims)),
        ("cases", f"{len(runnable)} of {len(cases)}"),
        ("not claimed", str(len(cases) - claimed)),
        ("cannot be arranged", str(claimed - len(runnable))),
        (
            "smoke test",
            f"at most {SMOKE_REQUESTS} requests before the cases, which no limit counts",
        ),
        ("requests", f"{_describe_bound(bound.requests, limits.requests)}, pace {pace}"),
        ("clients created", clients),
        ("mails caused", f"at most {bound.clients}, to addresses of {target.email_domain}"),
        ("states needed", ", ".join(f"{name} x{count}" for name, count in sorted(states.items()))),
        ("writes", "yes" if limits.writes else "no: the profile forbids them"),
    ]


def _describe_bound(bound: int, limit: int) -> str:
    """Describes a bound, and whether the limit of the profile ends the run before it."""
    ended = ", which may end the run early" if bound > limit else ""
    return f"at most {bound} (limit {limit}{ended})"


def smoke(argv: list[str]) -> int:
    """`smoke`: judges the responses to a few requests; returns the exit code."""
    description = (
        f"Send at most {SMOKE_REQUESTS} requests that create nothing, and judge the responses."
    )
    parser = cli.new_parser("smoke", description)
    cli.add_wait_option(parser)
    options = parser.parse_args(argv)
    return cli.run_command("smoke", lambda: _smoke(options))


def _smoke(options: argparse.Namespace) -> int:
    target, statuses = cli.responding_target_from(options), load_statuses()
    checks = asyncio.run(run_smoke_test(target, statuses))
    rows = []
    for each in checks:
        verdict, expected = each.missed or ("ok", "")
        rows.append(
            (verdict, each.name, f"{expected}, received {each.found}" if expected else each.found)
        )
    cli.print_text(cli.format_table(rows))
    cli.print_codings(checks)
    asyncio.run(require_this_api(checks, target, statuses))
    failed = any(each.missed and each.missed[0] is Verdict.FAIL for each in checks)
    return ExitCode.VIOLATION if failed else ExitCode.SUCCESS


def list_cases(argv: list[str]) -> int:
    """`list`: prints the cases; returns the exit code."""
    parser = cli.new_parser("list", "List the cases of the suite.", takes_target=False)
    parser.add_argument(
        "--write-lock",
        action="store_true",
        help=f"in a checkout: update conformance/{LOCK_FILE} after cases were added or retired",
    )
    options = parser.parse_args(argv)
    return cli.run_command("list", lambda: _list_cases(options))


def _list_cases(options: argparse.Namespace) -> int:
    if options.write_lock:
        Path(str(files(__package__) / LOCK_FILE)).write_text(render_lock(), "utf-8")
    cases = cli.cases_from(options)
    rows = [(case.id, case.claims, " ".join(case.requires), case.title) for case in cases]
    cli.print_text(cli.format_table(rows))
    return 0


def trace(argv: list[str]) -> int:
    """`trace`: prints requirements and their cases; returns 1 if a requirement has none."""
    parser = ArgumentParser(
        prog="clients-register trace",
        description="List each requirement with its cases; fail if one has none.",
    )
    parser.add_argument(
        "--markdown", type=writable_file, metavar="FILE", help="write the table as Markdown"
    )
    options = parser.parse_args(argv)
    return cli.run_command("trace", lambda: _trace(options))


def _trace(options: argparse.Namespace) -> int:
    requirements: Requirements = spec.load("requirements")["requirements"]
    cases = load_cases()
    rows = list(trace_requirements(requirements, cases))
    cli.print_text(cli.format_table([(key, str(len(ids))) for key, ids in rows]))
    texts = {} if options.markdown is None else {options.markdown: render_trace(rows)}
    if failures := write_files(texts):
        raise NotWritable(failures[0])
    gaps = list(find_gaps(requirements, cases))
    cli.print_text("".join(f"{gap}\n" for gap in gaps) or "no gaps\n")
    return ExitCode.VIOLATION if gaps else ExitCode.SUCCESS


def trace_requirements(
    requirements: Requirements, cases: Sequence[Case]
) -> Iterator[tuple[str, list[str]]]:
    """Yields each testable requirement with the ids of its cases."""
    for key, requirement in requirements.items():
        if requirement["testable"]:
            yield key, [case.id for case in cases if key in case.requires]


def find_gaps(requirements: Requirements, cases: Sequence[Case]) -> Iterator[str]:
    """Yields requirements without a case, and cases of untestable requirements."""
    for key, ids in trace_requirements(requirements, cases):
        if not ids:
            yield f"{key}: no case tests it"
    for case in cases:
        untestable = [key for key in case.requires if not requirements[key]["testable"]]
        yield from (f"{case.id}: {key} is not testable" for key in untestable)


def render_trace(rows: Sequence[tuple[str, list[str]]]) -> str:
    """Renders docs/tracing.md."""
    lines = (f"| {key} | {', '.join(ids)} |\n" for key, ids in rows)
    head = (
        "# Requirements and their cases\n\nGenerated by `clients-register trace --markdown"
        " docs/tracing.md`.\n\n| requirement | cases |\n| --- | --- |\n"
    )
    return head + "".join(lines)


def report(argv: list[str]) -> int:
    """`report`: converts a report that `verify --report` wrote; returns the exit code."""
    parser = ArgumentParser(
        prog="clients-register report",
        description="Convert a report that `clients-register verify --report FILE` wrote.",
        epilog="example: clients-register report report.json --html report.html",
    )
    parser.add_argument("file", type=Path, help="the report, as JSON")
    for name in FORMATS:
        parser.add_argument(
            f"--{name}", type=writable_file, metavar="FILE", help=f"write it as {name}"
        )
    cli.add_verbose_option(parser)
    options = parser.parse_args(argv)
    return cli.run_command("report", lambda: _report(options))


def _report(options: argparse.Namespace) -> int:
    loaded = load_report(options.file)
    requested = [getattr(options, name) for name in FORMATS]
    if any(path is not None and path.resolve() == options.file.resolve() for path in requested):
        raise NotWritable(f"expected another file than the report itself, found {options.file}")
    with open_files(requested) as output_files:
        texts = render_requested(loaded, options)
        if not texts:
            cli.print_report(loaded, verbose=options.verbose)
        failures = output_files.write(texts)
    for failure in failures:
        cli.print_error(f"clients-register report: {failure}")
    return ExitCode.USAGE if failures else ExitCode.SUCCESS
