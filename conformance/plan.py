"""`clients-register plan`: what `verify` would do to a target, before anything is sent."""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence

from clients_register.conformance import asking, probing
from clients_register.conformance.arranging import way
from clients_register.conformance.model import Case
from clients_register.conformance.running import not_claimed
from clients_register.conformance.target import Target, of_url
from clients_register.spec.statuses import load_statuses

# Requests of `smoke`, which goes before every run.
SMOKE = 5


def main(argv: list[str]) -> int:
    """Prints the plan; returns the exit code."""
    parser = asking.parser("plan", "Tell what `verify` would do to a target. Sends nothing.")
    parser.add_argument(
        "--stub", action="store_true", help="the URL is one of our stub, which claims everything"
    )
    options = parser.parse_args(argv)
    return asking.guarded("plan", lambda: _plan(options))


def _plan(options: argparse.Namespace) -> int:
    cases = asking.cases_of(options)
    target = asking.target_of(options, found_out=_taken_for(options))
    print(asking.table(rows(cases, target)), end="")
    return 0


def _taken_for(options: argparse.Namespace) -> Callable[[str], Target]:
    """What a URL is taken for, since asking it would be sending something."""
    return lambda url: of_url(url, control=options.stub)


def rows(cases: Sequence[Case], target: Target) -> list[tuple[str, str]]:
    """The plan as names and values."""
    claimed = [case for case in cases if not_claimed(case, target) is None]
    reachable = [case for case in claimed if _reachable(case, target)]
    states = Counter(state for case in reachable for state in case.arrange)
    success = load_statuses().success.slug
    clients = sum(_clients(case, success) for case in reachable)
    sent = SMOKE + sum(_requests(case) for case in reachable)
    limits = target.limits
    pace = f"{limits.requests_per_second:g} a second" if limits.requests_per_second else "unlimited"
    return [
        ("target", target.name),
        ("route", target.base_url.rstrip("/") + target.route),
        ("hosts contacted", ", ".join(probing.hosts(target))),
        ("claims", ", ".join(target.claims)),
        ("cases", f"{len(reachable)} of {len(cases)}"),
        ("not claimed", str(len(cases) - len(claimed))),
        ("cannot be arranged", str(len(claimed) - len(reachable))),
        ("requests", f"{sent} (limit {limits.requests}, pace {pace})"),
        ("clients created", f"at most {clients} (limit {limits.clients})"),
        ("mails caused", f"at most {clients}, to addresses of {target.email_domain}"),
        ("states needed", ", ".join(f"{name} x{count}" for name, count in sorted(states.items()))),
        ("writes", "yes" if limits.writes else "no: the profile forbids them"),
    ]


def _reachable(case: Case, target: Target) -> bool:
    return all(way(target, state) != "unavailable" for state in case.arrange)


def _requests(case: Case) -> int:
    return case.parallel + sum(step.send is not None for step in case.before) + len(case.arrange)


def _clients(case: Case, success: str) -> int:
    """How many a case may create: one for each request that is not known to be refused."""
    judged = [each.terms["status"] for each in case.expect if each.kind == "status"]
    refused = bool(judged) and success not in judged
    by_state = sum(state in ("client", "session-live") for state in case.arrange)
    before = sum(step.send is not None for step in case.before)
    return by_state + before + (0 if refused else case.parallel)
