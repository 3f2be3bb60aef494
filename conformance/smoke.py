"""`clients-register smoke`: five requests that tell a wrong profile from a wrong server."""

import argparse
import asyncio

from clients_register.conformance import asking, probing
from clients_register.conformance.verdicts import Exit
from clients_register.spec.statuses import load_statuses


def main(argv: list[str]) -> int:
    """Prints what five requests are answered; returns the exit code."""
    parser = asking.parser("smoke", "Send five requests that write nothing, and show the answers.")
    options = parser.parse_args(argv)
    return asking.guarded("smoke", lambda: _smoke(options))


def _smoke(options: argparse.Namespace) -> int:
    target = asking.target_of(options)
    checks = asyncio.run(probing.smoke(target, load_statuses()))
    rows = [("ok" if each.right else "??", each.what, each.found) for each in checks]
    print(asking.table(rows), end="")
    probing.is_this_api(checks, target)
    return Exit.GOOD if all(each.right for each in checks) else Exit.VIOLATION
