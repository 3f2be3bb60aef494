"""A running server: the product opened, uvicorn on a socket, everything closed at the end."""

import gc
import json
import logging
import math
import re
import shlex
import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp, Scope
from typing_extensions import override

from clients_register import __version__, spec
from clients_register.handlers.access_log import AccessLog, log_refusal
from clients_register.handlers.app import open_reference
from clients_register.handlers.context import Services
from clients_register.handlers.decoding import email_key
from clients_register.handlers.health_check import is_health_check
from clients_register.handlers.http.connection import Connection, ConnectionConfig
from clients_register.handlers.http.deadlines import ConnectionLimits
from clients_register.handlers.log_output import access, report_event
from clients_register.handlers.options import http_origin, reachable_host
from clients_register.handlers.resources import Product
from clients_register.handlers.settings import CONTROL_PATH, WORLDS_PATH, Settings
from clients_register.handlers.workers import Worker
from clients_register.spec.schemas import operation

# How long requests may take to finish when the server stops, in seconds, not counting the timeout
# of the mail API.
SHUTDOWN_TIMEOUT = 5

# New objects between two runs of the garbage collector. Requests create no reference cycles, so
# there is little to collect.
GC_THRESHOLD = 10_000

BANNER = """\
clients-register {version}, {mode}{workers}
  listening  {url}
  {storage:<9}  {data} ({clients})
  mail       {mail}
{upstream}{pages}Register a client:
  {curl}
Stop with Ctrl-C.
"""


class StopFlag(Protocol):
    """Whether the server should stop."""

    @property
    def is_set(self) -> bool:
        """True once a stop was requested."""
        ...


async def serve(
    settings: Settings, listener: socket.socket, stop: StopFlag, worker: Worker | None = None
) -> None:
    """Serves on `listener` until `stop` is set; running requests are then completed.

    Of several workers only the first prints the banner. Raises SeedError, StoreError.
    """
    if stop.is_set:
        return
    async with open_product(settings) as product:
        if stop.is_set:
            return
        if worker is None or worker.prints_banner:
            host, port = listener.getsockname()[:2]
            banner = await build_banner(settings, product, listener)
            message = banner.partition("\n")[0]
            report_event(message, banner, url=_route_url(host, port, settings))
        if worker is not None:
            worker.notify_ready()
        with gc_tuned():
            await Server(product, settings, stop).serve(sockets=[listener])
        if text := product.exit_message():
            report_event(text.strip().partition("\n")[0], text)


def open_product(settings: Settings) -> AbstractAsyncContextManager[Product]:
    """Opens the stub or the reference implementation; it is closed when the context ends.

    Raises SeedError, StoreError, each with a message for the user.
    """
    if settings.reference:
        return open_reference(settings)
    # The reference implementation runs without the stub's modules.
    from clients_register.handlers.stub.builder import open_stub

    return open_stub(settings)


@contextmanager
def gc_tuned() -> Iterator[None]:
    """Exempts existing objects from garbage collection, and collects new ones less often.

    By default the collector runs every 700 new objects, and regularly through all objects: modules,
    documents, every client. A registration, which leaves objects behind, spends 40 to 55
    microseconds on it; 21 to 28 with existing objects frozen; 6 to 10 with the higher threshold.
    """
    thresholds = gc.get_threshold()
    # Without a collection before: with a million clients that would take seconds.
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


class Server(uvicorn.Server):
    """uvicorn, except that `stop` ends it. It does not handle signals.

    uvicorn installs its signal handlers late, and re-raises signals after shutdown.
    """

    def __init__(self, product: Product, settings: Settings, stop: StopFlag) -> None:
        mail_timeout = settings.mandrill_timeout if settings.mail == "mandrill" else 0
        super().__init__(
            ConnectionConfig(
                _with_access_log(product.app, settings),
                ConnectionLimits(
                    settings.max_head, settings.receive_timeout, settings.idle_timeout
                ),
                log_refusal,
                access_log=False,
                lifespan="off",
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=SHUTDOWN_TIMEOUT + math.ceil(mail_timeout),
            )
        )
        self._release_waiters = product.release_waiters
        self._stop = stop

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._release_waiters()
        await super().shutdown(sockets)
        # The requests that took too long are being cancelled.
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.abort()

    @override
    async def on_tick(self, counter: int) -> bool:
        # uvicorn calls this ten times a second.
        return await super().on_tick(counter) or self._stop.is_set


def _with_access_log(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Returns `app`, with the access log if that is enabled."""
    if not access.isEnabledFor(logging.INFO):
        return app
    control = re.compile(f"({WORLDS_PATH}/[^/]*)?{CONTROL_PATH}(/.*)?")

    def is_left_out(scope: Scope) -> bool:
        is_control = not settings.reference and control.fullmatch(scope["path"]) is not None
        return is_control or is_health_check(scope)

    return AccessLog(app, is_left_out)


async def build_banner(settings: Settings, product: Product, listener: socket.socket) -> str:
    """Says where the server listens, where it stores data and sends mail, and how to call it."""
    host, port = listener.getsockname()[:2]
    services = product.services
    count = await services.store.count_clients()
    storage, data, outbox = _describe_data(settings)
    mail = {"outbox": outbox, "mandrill": f"sent through {settings.mandrill_url}"}
    return BANNER.format(
        version=__version__,
        mode="the plain reference" if settings.reference else "the stub",
        workers="" if settings.workers == 1 else f", {settings.workers} workers",
        url=_route_url(host, port, settings),
        storage=storage,
        data=data,
        clients="1 client" if count == 1 else f"{count} clients",
        mail=mail[settings.mail],
        upstream=_describe_upstream(settings),
        pages="".join(
            f"  {name:<10} {http_origin(reachable_host(host), port)}{path}\n"
            for name, path in product.pages
        ),
        curl=await _curl_command(services, _route_url(reachable_host(host), port, settings)),
    )


def _describe_upstream(settings: Settings) -> str:
    if not settings.upstream:
        return ""
    paths = "every path" if settings.passthrough else "every other path"
    return f"  upstream   {settings.upstream} ({paths})\n"


def _describe_data(settings: Settings) -> tuple[str, object, str]:
    """Says what kind of place the data are in, which one, and what becomes of mails there."""
    if settings.memory:
        place = "in memory, gone when the server stops"
        return "data", place, "kept in memory, nothing leaves this machine"
    if settings.store is not None:
        return "database", settings.store, "kept in the database, nothing is sent"
    kept = "kept in the data file, nothing leaves this machine"
    return "data file", settings.data_file, kept


def _route_url(host: str, port: int, settings: Settings) -> str:
    (path,) = spec.load("openapi")["paths"]
    return f"{http_origin(host, port)}{settings.base_path}{path}"


async def _curl_command(services: Services, url: str) -> str:
    """Returns a shell command that registers a client whose address is not taken yet."""
    (content,) = operation(spec.load("openapi"))["requestBody"]["content"].values()
    params = content["examples"]["minimal"]["x-decoded"]
    name, _, domain = params["client"]["email"].partition("@")
    number, email = 1, params["client"]["email"]
    while await services.store.user_by_email(email_key(email) or ""):
        number += 1
        email = f"{name}+{number}@{domain}"
    params = params | {
        "application": next(iter(services.registry.applications), params["application"]),
        "client": params["client"] | {"email": email},
    }
    return (
        f"printf %s {shlex.quote(json.dumps(params))} | base64 |"
        f" curl -sS -H 'Content-Type: {services.media_type}' --data-binary @- {shlex.quote(url)}"
    )
