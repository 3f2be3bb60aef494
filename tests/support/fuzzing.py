"""Campaigns against servers of a test's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal
from support.command import call
from teeth.serving import served

from clients_register.conformance import reporting
from clients_register.conformance.fuzzing import LAYERS
from clients_register.conformance.fuzzing.campaign import Budget, Campaign, Plan
from clients_register.conformance.fuzzing.running import campaign, go
from clients_register.conformance.target import of_url
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
    with campaign(of_url(base, control=True), load_statuses(), plan) as made:
        ended, _ = go(made)
        yield made, ended


def fuzzed(tmp_path: Path, *argv: str) -> tuple[int, dict[str, Any], str]:
    """The exit code of `clients-register fuzz`, its report, and what was printed."""
    file = tmp_path / "fuzz.json"
    corpus = ("--corpus", str(tmp_path / "corpus"))
    done = call("fuzz", *argv, *corpus, "--report", str(file))
    report = dict(reporting.read(file)) if file.exists() else {}
    return done.returncode, report, done.stdout + done.stderr
