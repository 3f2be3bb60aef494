"""Serves a mutant in this process, on the running event loop."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from clients_register.conformance.mutants.model import named
from clients_register.conformance.mutants.planting import planted
from clients_register.handlers.clock import SystemClock
from clients_register.handlers.mock.product import stub
from clients_register.handlers.serve import Stop, listening
from clients_register.handlers.server import Server
from clients_register.handlers.settings import Settings


@asynccontextmanager
async def served(name: str) -> AsyncIterator[str]:
    """Plants the mutant called `name` and serves it; yields its base URL.

    It listens on a port that the system chooses and keeps its data in a temporary directory. When
    the context ends, the server of this process is the right one again. Raises UnknownMutant.
    """
    mutant = named(name)
    planting = nullcontext() if mutant is None else planted(mutant.plant)
    with tempfile.TemporaryDirectory() as folder, planting as layer:
        settings = Settings(data=Path(folder) / "data.json", port=0, bcrypt_cost=4)
        async with stub(settings, SystemClock()) as product:
            app = product.app if layer is None else layer(product.app)
            with listening(settings.host, settings.port) as listener:
                stop = Stop()
                server = _Server(replace(product, app=app), settings, stop)
                serving = asyncio.create_task(server.serve(sockets=[listener]))
                try:
                    port = listener.getsockname()[1]
                    yield f"http://{settings.host}:{port}{settings.base_path}"
                finally:
                    stop.ask()
                    await serving


class _Server(Server):
    """Looks every 10 ms whether it should stop: a hundred of them stop one after another."""

    async def main_loop(self) -> None:
        """See `uvicorn.Server`."""
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            await asyncio.sleep(0.01)
