"""Serves a mutant in this process, on the running event loop.

As a program, `python -m teeth.serving NAME`, it prints `listening URL` and serves until SIGTERM or
SIGINT; `none` is the server without a fault.
"""

import asyncio
import logging
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from teeth.mutants import UnknownMutant, find_mutant
from teeth.planting import planted

from clients_register import output
from clients_register.conformance.interrupts import termination_as_interrupt
from clients_register.handlers.models import SystemClock
from clients_register.handlers.serve import Stop, open_listener
from clients_register.handlers.server import Server
from clients_register.handlers.settings import Settings
from clients_register.handlers.stub.builder import open_stub


@asynccontextmanager
async def served(name: str) -> AsyncIterator[str]:
    """Plants the mutant called `name` and serves it; yields its base URL.

    It listens on a free port and keeps its data in a temporary directory. The fault is removed when
    the context ends. Raises UnknownMutant.
    """
    mutant = find_mutant(name)
    planting = nullcontext() if mutant is None else planted(mutant.plant)
    with tempfile.TemporaryDirectory() as folder, planting as layer:
        settings = Settings(data=Path(folder) / "data.json", port=0, bcrypt_cost=4)
        async with open_stub(settings, SystemClock()) as product:
            app = product.app if layer is None else layer(product.app)
            with open_listener(settings.host, settings.port) as listener:
                stop = Stop()
                server = _Server(replace(product, app=app), settings, stop)
                serving = asyncio.create_task(server.serve(sockets=[listener]))
                try:
                    port = listener.getsockname()[1]
                    yield f"http://{settings.host}:{port}{settings.base_path}"
                finally:
                    stop.request()
                    await serving


class _Server(Server):
    """Checks every 10 ms whether to stop, because a hundred of them stop one after another."""

    async def main_loop(self) -> None:
        """See `uvicorn.Server`."""
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            await asyncio.sleep(0.01)


async def _serve(name: str) -> None:
    async with served(name) as base:
        output.say(f"listening {base}\n")
        await asyncio.Event().wait()


def main(argv: list[str]) -> int:
    """Serves the mutant named in `argv` until interrupted; returns the exit code."""
    logging.disable()
    try:
        with termination_as_interrupt():
            asyncio.run(_serve(argv[0] if argv else ""))
    except UnknownMutant as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    raise AssertionError("only an interrupt ends the server")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
