"""Campaigns against servers of a test's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal
from support.command import call
from teeth.serving import served

from clients_register.conformance.fuzz import LAYERS
from clients_register.conformance.fuzz.campaign import Budget, Campaign, Plan, new_campaign
from clients_register.conformance.fuzz.layers import run_layers
from clients_register.conformance.report import load_report
from clients_register.conformance.target import target_for_url
from clients_register.spec.statuses import load_statuses


@contextmanager
def mutant(name: str) -> Iterator[str]:
    """The base URL of a server with one planted fault, in a thread of this process."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(served(name)) as base:
        yield base


@contextmanager
def explored(
    base: str,
    requests: int,
    *layers: str,
    seed: int = 1,
    first: bool = False,
    restart: Callable[[], None] | None = None,
) -> Iterator[tuple[Campaign, str]]:
    """A strict campaign that was run, and how it ended; all layers unless some are named."""
    plan = Plan(
        layers or tuple(LAYERS), seed, Budget(requests), strict=True, first=first, restart=restart
    )
    with new_campaign(target_for_url(base, control=True), load_statuses(), plan) as made:
        ended, _ = run_layers(made)
        yield made, ended


def fuzzed(tmp_path: Path, *argv: str) -> tuple[int, dict[str, Any], str]:
    """The exit code of `clients-register fuzz`, its report, and what was printed."""
    file = tmp_path / "fuzz.json"
    corpus = ("--corpus", str(tmp_path / "corpus"))
    done = call("fuzz", *argv, *corpus, "--report", str(file))
    report = dict(load_report(file)) if file.exists() else {}
    return done.returncode, report, done.stdout + done.stderr
