"""`clients-register serve`: parses the settings, listens, and runs the server until it is stopped.

Importing the server takes half a second. It happens once the settings are valid and the port is
bound, so that help and errors appear immediately and signals are handled from the beginning.
"""

import asyncio
import logging
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

from clients_register.handlers.arguments import PROGRAM, SettingError, parse_settings
from clients_register.handlers.log_output import (
    is_watched,
    log_output,
    report_event,
    report_failure,
)
from clients_register.handlers.settings import Settings
from clients_register.handlers.store.base import StoreError
from clients_register.handlers.workers import Worker, Workers

# Connections that the system queues, above all while the server is being imported.
BACKLOG = 2048

# A limit of open files below this is worth a warning.
FEW_FILES = 512

# The file descriptor of standard input.
STDIN = 0


log = logging.getLogger(__name__)


class ServeError(Exception):
    """The port or the data cannot be used; the message says why and what to do."""


class Stop:
    """Whether this process should stop: after a signal, or because another process has ended.

    That is the parent of a worker, or with `watches_input` the one that writes to standard input.
    """

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.watches_input = False
        self._requested = False

    @property
    def is_set(self) -> bool:
        """True once a stop was requested."""
        if self.worker is not None:
            return self._requested or self.worker.is_orphan
        if self.watches_input and not self._requested:
            self._requested = _input_has_ended()
        return self._requested

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Makes SIGINT and SIGTERM request a stop, until the context ends."""
        previous = {
            number: signal.signal(number, self.request)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def request(self, *_: object) -> None:
        """Requests a stop; may be used as a signal handler."""
        self._requested = True


def main(argv: list[str]) -> int:
    """Serves until SIGINT or SIGTERM; returns the exit code."""
    stop = Stop()
    with log_output() as log_lines:
        try:
            with stop.on_signals():
                _raise_descriptor_limit()
                settings = parse_settings(argv, os.environ)
                logs_requests = settings.access_log
                if logs_requests is None:
                    logs_requests = is_watched()
                log_lines.configure(settings.log_format, logs_requests=logs_requests)
                stop.watches_input = settings.stop_on_eof
                code = _serve(settings, stop)
                if code == 0:
                    report_event("stopped", "")
                return code
        except (SettingError, ServeError) as error:
            log_lines.release()
            report_failure(f"{PROGRAM}: {error}")
            return 2 if isinstance(error, SettingError) else 1


def _serve(settings: Settings, stop: Stop) -> int:
    """Serves with one or several processes; returns the exit code. Raises ServeError."""
    with open_listener(settings.host, settings.port) as listener:
        if settings.workers == 1:
            return _serve_here(settings, listener, stop)

        def run_worker(worker: Worker) -> int:
            stop.worker = worker
            return _serve_here(settings, listener, stop)

        return Workers(settings.workers, run_worker, listener.close, lambda: stop.is_set).run()


def _raise_descriptor_limit() -> None:
    """Raises the limit of open files as far as a process may; warns if that is not far."""
    if resource is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Refused where the hard limit is higher than the system allows, as on macOS.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= limit < FEW_FILES:
        log.warning(
            "only %d files may be open: expected at least %d, of which each connection takes one;"
            " connections beyond are refused; raise the hard limit (ulimit -Hn)",
            limit,
            FEW_FILES,
        )


def _input_has_ended() -> bool:
    """Whether standard input is at its end; skips what can be read."""
    try:
        while select.select([STDIN], [], [], 0)[0]:
            if not os.read(STDIN, 65536):
                return True
    except OSError:
        # It is closed.
        return True
    return False


def open_listener(host: str, port: int) -> socket.socket:
    """Opens a listening socket. Raises ServeError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # `localhost` often has addresses of both families; IPv4 is understood by all callers.
        family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        # The unspecified IPv6 address stands for all addresses, where the system supports that.
        both = host == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server(
            address, family=family, backlog=BACKLOG, dualstack_ipv6=both
        )
        # Inherited by connections. uvloop sets it anyway; without, each response would wait for the
        # delayed acknowledgement of its header: 40 ms on Linux.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        is_name_error = isinstance(error, socket.gaierror)
        reason = error.strerror if is_name_error else os.strerror(error.errno or 0)
        raise ServeError(
            f"cannot listen on {host} port {port}: {reason}; name another port with --port"
            " (0 takes a free one), or another address with --host"
        ) from None


def _serve_here(settings: Settings, listener: socket.socket, stop: Stop) -> int:
    """Serves until `stop` is set; returns the exit code of the process."""
    try:
        _run(settings, listener, stop)
    except ServeError as error:
        report_failure(f"{PROGRAM}: {error}")
        return 1
    return 0


def _run(settings: Settings, listener: socket.socket, stop: Stop) -> None:
    """Raises ServeError if the data or the seed cannot be used."""
    from clients_register.handlers.seed import SeedError
    from clients_register.handlers.server import serve

    try:
        with asyncio.Runner(loop_factory=_event_loop_factory()) as runner:
            runner.run(serve(settings, listener, stop, stop.worker))
    except (SeedError, StoreError) as error:
        raise ServeError(str(error)) from None
    except OSError as error:
        raise ServeError(
            f"the data file {settings.data_file} cannot be written: {error.strerror or error};"
            " make room for it, or name another file with --data"
        ) from None


def _event_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Returns uvloop's factory if it is installed (it does not support Windows)."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop
