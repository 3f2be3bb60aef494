"""One running server: its parts opened, uvicorn on a socket, everything closed at the end."""

import asyncio
import logging
import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import uvicorn

from clients_register import output
from clients_register.handlers.banner import banner
from clients_register.handlers.garbage import settled
from clients_register.handlers.product import Product, made
from clients_register.handlers.settings import Settings
from clients_register.handlers.workers import Worker

# How long callers may take to finish what they began when the server stops, beside the time that
# a mail may take: in seconds.
PATIENCE = 5

# Seconds for which an idle connection is kept open: longer than clients keep theirs, who would
# otherwise send a request just when it is closed.
KEEP_ALIVE = 75


class Stop(Protocol):
    """Tells whether the server should stop."""

    @property
    def asked(self) -> bool:
        """True from the moment on when somebody asked."""
        ...


async def serve(
    settings: Settings, listener: socket.socket, stop: Stop, worker: Worker | None = None
) -> None:
    """Answers on `listener` until asked to stop; then the requests under way get their answers.

    Of several workers only the first prints the banner. Raises SeedError, StoreError.
    """
    if stop.asked:
        return
    async with made(settings) as product:
        if stop.asked:
            return
        if worker is None or worker.greets:
            output.say(await banner(settings, product, listener))
        if worker is not None:
            worker.answers()
        with settled():
            await Server(product, settings, stop).serve(sockets=[listener])
        output.say(product.farewell())


class Server(uvicorn.Server):
    """uvicorn, which stops when `stop` says so and leaves the signals alone.

    Its own handlers come late and hand a signal on when all is done, to whoever had it before.
    """

    def __init__(self, product: Product, settings: Settings, stop: Stop) -> None:
        mailing = settings.mandrill_timeout if settings.mail == "mandrill" else 0
        super().__init__(
            uvicorn.Config(
                product.app,
                access_log=False,
                http=product.protocol,
                lifespan="off",
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=PATIENCE + math.ceil(mailing),
                ws="none",
            )
        )
        logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
        self._release = product.release
        self._stop = stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See `uvicorn.Server`."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server`."""
        self._release()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """See `uvicorn.Server`; asked ten times a second."""
        return await super().on_tick(counter) or self._stop.asked


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """Callers who were cut off when their time was up are told of in one line, by their number.

    uvicorn adds a traceback for each, as if something had gone wrong.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError)
