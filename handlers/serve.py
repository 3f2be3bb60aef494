"""`clients-register serve`: reads the settings, listens, and runs the server until told to stop.

The server itself takes half a second to import. That happens once the settings are good and the
port is taken, so that help and complaints come at once and the signals to stop are heeded from the
first moment.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from clients_register.handlers.arguments import PROGRAM, SettingError, read
from clients_register.handlers.settings import Settings
from clients_register.handlers.store import StoreError
from clients_register.handlers.workers import Worker, Workers

# How many connections wait to be taken, above all while the server is still being imported.
BACKLOG = 2048


class CannotServe(Exception):
    """There is no serving on that port or from that data; the message says why and what to do."""


class Stop:
    """Whether somebody asked this process to stop; one that is left alone stops, too."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self._asked = False

    @property
    def asked(self) -> bool:
        """True from the moment on when somebody asked."""
        return self._asked or (self.worker is not None and self.worker.is_orphan)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM ask, until the context ends, and do nothing else."""
        before = {
            number: signal.signal(number, self.ask) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def ask(self, *_: object) -> None:
        """Asks; takes what a handler of signals is called with."""
        self._asked = True


def main(argv: list[str]) -> int:
    """Serves until SIGINT or SIGTERM; returns the exit code."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    stop = Stop()
    try:
        with stop.on_signals():
            settings = read(argv, os.environ)
            with listening(settings.host, settings.port) as listener:
                if settings.workers == 1:
                    return _served(settings, listener, stop)

                def work(worker: Worker) -> int:
                    stop.worker = worker
                    return _served(settings, listener, stop)

                return Workers(settings.workers, work, listener.close, lambda: stop.asked).run()
    except (SettingError, CannotServe) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingError) else 1


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections on `host` and `port`. Raises CannotServe."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # `localhost` is often both, and callers who know only one family know IPv4.
        family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        listener = socket.create_server(address, family=family, backlog=BACKLOG)
        # Connections inherit it. Without it, and without uvloop, which sets it, each answer waits
        # for the caller's delayed acknowledgement of its head: 40 ms on Linux.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        unknown = isinstance(error, socket.gaierror)
        reason = error.strerror if unknown else os.strerror(error.errno or 0)
        raise CannotServe(
            f"cannot listen on {host} port {port}: {reason}; name another port with --port"
            " (0 takes a free one), or another address with --host"
        ) from None


def _served(settings: Settings, listener: socket.socket, stop: Stop) -> int:
    """Serves until `stop` is asked for; returns the exit code of the process."""
    try:
        _run(settings, listener, stop)
    except CannotServe as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    return 0


def _run(settings: Settings, listener: socket.socket, stop: Stop) -> None:
    """Raises CannotServe where the data, or the seed of it, cannot be used."""
    from clients_register.handlers.seeding import SeedError
    from clients_register.handlers.server import serve

    try:
        with asyncio.Runner(loop_factory=_fast_loop()) as runner:
            runner.run(serve(settings, listener, stop, stop.worker))
    except (SeedError, StoreError) as error:
        raise CannotServe(str(error)) from None
    except OSError as error:
        raise CannotServe(
            f"the data file {settings.data_file} cannot be written: {error.strerror or error};"
            " make room for it, or name another file with --data"
        ) from None


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's event loop where there is one (it is not made for Windows)."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop
