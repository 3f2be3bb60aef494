"""Serves one mutant: `python -m clients_register.conformance.mutants NAME`, or `none`.

It is the stub, on a free port, with its data in a directory that is gone at the end; the first line
tells the base URL. It serves until SIGTERM or SIGINT.
"""

import asyncio
import logging
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from clients_register import output
from clients_register.conformance.mutants.model import UnknownMutant, named
from clients_register.conformance.mutants.planting import Layer
from clients_register.handlers.clock import SystemClock
from clients_register.handlers.mock.product import stub
from clients_register.handlers.serve import Stop, listening
from clients_register.handlers.server import Server
from clients_register.handlers.settings import Settings


async def serve(settings: Settings, layer: Layer | None, stop: Stop) -> None:
    """Serves the stub, inside `layer` if there is one, until asked to stop."""
    async with stub(settings, SystemClock()) as product:
        served = product if layer is None else replace(product, app=layer(product.app))
        with listening(settings.host, settings.port) as listener:
            port = listener.getsockname()[1]
            output.say(f"listening http://{settings.host}:{port}{settings.base_path}\n")
            await Server(served, settings, stop).serve(sockets=[listener])


def main(argv: list[str]) -> int:
    """Serves the mutant that `argv` names; returns the exit code."""
    logging.disable()
    try:
        mutant = named(argv[0] if argv else "")
    except UnknownMutant as error:
        print(error, file=sys.stderr)
        return 2
    layer = None if mutant is None else mutant.plant()
    stop = Stop()
    with tempfile.TemporaryDirectory() as folder, stop.on_signals():
        settings = Settings(data=Path(folder) / "data.json", port=0, bcrypt_cost=4)
        asyncio.run(serve(settings, layer, stop))
    return 0


sys.exit(main(sys.argv[1:]))
