"""Serves one mutant: `python -m clients_register.conformance.mutants NAME`, or `none`.

The first line names the base URL. The mutant is served until SIGTERM or SIGINT.
"""

import asyncio
import logging
import sys

from clients_register import output
from clients_register.conformance.interrupting import terminations
from clients_register.conformance.mutants.model import UnknownMutant
from clients_register.conformance.mutants.serving import served


async def serve(name: str) -> None:
    """Serves the mutant called `name` until interrupted. Raises UnknownMutant."""
    async with served(name) as base:
        output.say(f"listening {base}\n")
        await asyncio.Event().wait()


def main(argv: list[str]) -> int:
    """Serves the mutant that `argv` names; returns the exit code."""
    logging.disable()
    try:
        with terminations():
            asyncio.run(serve(argv[0] if argv else ""))
    except UnknownMutant as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    raise AssertionError("only an interrupt ends the server")


sys.exit(main(sys.argv[1:]))
