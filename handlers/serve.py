"""`clients-register serve`: opens the data, listens, says where, and closes with nothing lost."""

import asyncio
import json
import logging
import os
import shlex
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn

from clients_register import __version__, spec
from clients_register.handlers.app import App
from clients_register.handlers.building import opened
from clients_register.handlers.emails import key_of
from clients_register.handlers.routing import routed
from clients_register.handlers.seeding import SeedError
from clients_register.handlers.services import Services
from clients_register.handlers.settings import PROGRAM, SettingError, Settings, read
from clients_register.handlers.store import StoreError
from clients_register.spec.schemas import operation

BACKLOG = 2048

BANNER = """\
clients-register {version}, {mode}
  listening  {url}
  data file  {data} ({clients})
  mail       {mail}
Register a client:
  {curl}
Stop with Ctrl-C.
"""


class ListenError(Exception):
    """There is no listening at that address; the message says why and what to do."""


def main(argv: list[str]) -> int:
    """Serves until SIGINT or SIGTERM; returns the exit code."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    try:
        settings = read(argv, os.environ)
        with (
            listening(settings.host, settings.port) as listener,
            asyncio.Runner(loop_factory=fast_loop()) as runner,
        ):
            runner.run(serve(settings, listener))
    except (SettingError, SeedError, StoreError, ListenError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingError) else 1
    except KeyboardInterrupt:
        return 130
    return 0


async def serve(settings: Settings, listener: socket.socket) -> None:
    """Answers on `listener` until the process is told to stop; then everything is closed."""
    async with opened(settings) as services:
        app = App(
            await routed(spec.load("openapi"), settings.base_path), services, settings.max_body
        )
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                access_log=False,
                http="httptools",
                lifespan="off",
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=10,
                ws="none",
            )
        )
        print(await banner(settings, services, listener), end="", flush=True)
        # uvicorn stops at these signals in good order, and then raises them once more.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        await server.serve(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections on `host` and `port`. Raises ListenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ListenError(
            f"cannot listen on {host} port {port}: {error.strerror}; name another port with --port"
            " (0 takes a free one), or another address with --host"
        ) from None


def fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's event loop where there is one (it is not made for Windows)."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


async def banner(settings: Settings, services: Services, listener: socket.socket) -> str:
    """What a person who started the server wants to know, and a command to paste."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    (path,) = spec.load("openapi")["paths"]
    url = f"http://{shown}:{port}{settings.base_path}{path}"
    count = await services.store.count_clients()
    mail = {
        "outbox": "kept in the data file, nothing leaves this machine",
        "mandrill": f"sent through {settings.mandrill_url}",
    }
    return BANNER.format(
        version=__version__,
        mode="the plain reference" if settings.reference else "with personas for testing",
        url=url,
        data=settings.data_file,
        clients="1 client" if count == 1 else f"{count} clients",
        mail=mail[settings.mail],
        curl=await curl_line(services, url),
    )


async def curl_line(services: Services, url: str) -> str:
    """A shell command that registers a client, under an address that is still free."""
    (content,) = operation(spec.load("openapi"))["requestBody"]["content"].values()
    params = content["examples"]["minimal"]["x-decoded"]
    name, _, domain = params["client"]["email"].partition("@")
    number, email = 1, params["client"]["email"]
    while await services.store.user_by_email(key_of(email) or ""):
        number += 1
        email = f"{name}+{number}@{domain}"
    sent = params | {
        "application": next(iter(services.registry.applications), params["application"]),
        "client": params["client"] | {"email": email},
    }
    return (
        f"printf %s {shlex.quote(json.dumps(sent))} | base64 |"
        f" curl -sS -H 'Content-Type: {services.media_type}' --data-binary @- {shlex.quote(url)}"
    )
