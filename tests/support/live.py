"""A real server, or a real stub, on a free port in a thread of the test process."""

import asyncio
import base64
import json
import math
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import count
from typing import Any, Self, TypeVar

import httpx2
from starlette.types import ASGIApp
from support.limits import LIMIT

from clients_register import spec
from clients_register.handlers.app import App, build_registration_router
from clients_register.handlers.context import Services
from clients_register.handlers.resources import Product, open_services
from clients_register.handlers.serve import open_listener
from clients_register.handlers.server import Server, StopFlag
from clients_register.handlers.settings import Settings
from clients_register.handlers.stub.builder import open_stub

T = TypeVar("T")

# Connexion validates a document whenever it loads it, which is a third of a server's start. The
# hundreds of servers of a test run share a few documents, and each is validated once. Its import
# warns of what it uses itself, unless `routing` has imported it before.
OpenAPISpecification: Any = import_module("connexion.spec").OpenAPISpecification
validate = OpenAPISpecification._validate_spec
validated: set[str] = set()


def validate_once(document: dict[str, Any]) -> None:
    text = json.dumps(document, sort_keys=True, default=str)
    if text not in validated:
        validate(document)
        validated.add(text)


OpenAPISpecification._validate_spec = staticmethod(validate_once)


START = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
PASSWORD = "correct horse battery staple"


class SettableClock:
    """A clock that moves only when it is set."""

    def __init__(self) -> None:
        self.present = START

    def now(self) -> datetime:
        return self.present

    def advance(self, **delta: float) -> None:
        """Moves the clock; the arguments are those of `timedelta`."""
        self.present += timedelta(**delta)


def encoded(params: object) -> bytes:
    """`params` as the route takes them: base64 of JSON."""
    return base64.b64encode(json.dumps(params).encode())


def registration(email: str, **changes: Any) -> dict[str, Any]:
    """Valid parameters for `email`. `client` in `changes` is merged into the client."""
    client = {"email": email, "password": PASSWORD} | changes.pop("client", {})
    return {"application": "planoauth", "client": client} | changes


def register_at(url: str, email: str, **changes: Any) -> dict[str, Any]:
    """The envelope of registering `email` at the URL of a route."""
    envelope: dict[str, Any] = httpx2.post(
        url,
        content=encoded(registration(email, **changes)),
        headers={"Content-Type": "text/plain"},
        timeout=LIMIT,
    ).json()
    return envelope


class Prompt(Server):
    """Notices within 10 ms, and not 100, that it should stop: hundreds of servers are stopped.

    It gives up on no request while a test may still be at work on it.
    """

    def __init__(self, product: Product, settings: Settings, stop: StopFlag) -> None:
        super().__init__(product, settings, stop)
        self.config.timeout_graceful_shutdown = math.ceil(LIMIT)

    async def main_loop(self) -> None:
        """See `uvicorn.Server`."""
        for tick in count():
            if await self.on_tick(tick):
                return
            await asyncio.sleep(0.01)


class Live:
    """A running server. Use as a context manager."""

    def __init__(
        self,
        settings: Settings,
        alter: Callable[[Services], Services] = lambda services: services,
        before_routing: ASGIApp | None = None,
    ) -> None:
        """`alter` may replace some of the services.

        `before_routing` replaces Connexion and its routes.
        """
        self.settings = settings
        self.clock = SettableClock()
        self.services: Services
        self.origin = ""
        self.url = ""
        self.is_set = False
        self._alter = alter
        self._before_routing = before_routing
        self._loop: asyncio.AbstractEventLoop
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    @asynccontextmanager
    async def product(self) -> AsyncIterator[Product]:
        """The product that is served: the reference, but with personas."""
        async with open_services(self.settings, self.clock) as whole:
            services = self._alter(whole)
            inner = self._before_routing or await build_registration_router(
                spec.load("openapi"), self.settings.base_path
            )
            yield Product(App(inner, services, self.settings.max_body), services)

    def listener(self) -> socket.socket:
        """The socket to serve on; the server closes it."""
        return open_listener(self.settings.host, self.settings.port)

    async def _serve(self) -> None:
        try:
            with self.listener() as listener:
                async with self.product() as product:
                    self.services = product.services
                    port = listener.getsockname()[1]
                    self.origin = f"http://127.0.0.1:{port}"
                    self.url = f"{self.origin}{self.settings.base_path}/clients/register"
                    server = Prompt(product, self.settings, self)
                    self._loop = asyncio.get_running_loop()
                    self._ready.set_result(None)
                    await server.serve(sockets=[listener])
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.result(timeout=LIMIT)
        # Nothing is encrypted here, and reading all certificates takes longer than the rest.
        self.http = httpx2.Client(timeout=LIMIT, verify=False)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stops the server for good; more than once is as good as once."""
        self.http.close()
        self.is_set = True
        self._thread.join(timeout=LIMIT)
        assert not self._thread.is_alive(), "the server did not stop"

    def run(self, awaitable: Awaitable[T]) -> T:
        """Awaits something of the server's on the server's own loop."""

        async def wait() -> T:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(timeout=LIMIT)

    def send(self, body: bytes, content_type: str | None = "text/plain", **headers: str) -> Any:
        """POSTs literal bytes to the route; returns httpx2's response."""
        sent = dict(headers) if content_type is None else {"Content-Type": content_type, **headers}
        return self.http.post(self.url, content=body, headers=sent)

    def post(self, params: object) -> Any:
        """POSTs `params`, encoded, to the route; returns httpx2's response."""
        return self.send(encoded(params))

    def register(self, email: str, **changes: Any) -> dict[str, Any]:
        """Registers `email`, with `registration`'s changes; returns the envelope."""
        envelope: dict[str, Any] = self.post(registration(email, **changes)).json()
        return envelope


def altered(**parts: Any) -> Callable[[Services], Services]:
    """An `alter` that puts `parts` in the place of the services of those names."""
    return lambda services: replace(services, **parts)


# Seconds for which a caller asks the server to wait; the fixture `waits` makes more of them.
WAIT = 59


class LiveStub(Live):
    """A running stub. The clocks of its worlds are based on one that the test sets."""

    app: Any

    @asynccontextmanager
    async def product(self) -> AsyncIterator[Product]:
        """See `Live.product`."""
        async with open_stub(self.settings, self.clock) as product:
            self.app = product.app
            yield product

    def at(self, path: str, world: str | None = None) -> str:
        """The URL of `path` in `world`, the default one if there is none."""
        base = "" if world is None else f"/_world/{world}"
        return f"{self.origin}{base}{path}"

    def route(self, world: str | None = None) -> str:
        """The URL of the route in `world`."""
        return self.at(f"{self.settings.base_path}/clients/register", world)

    def sent(
        self, params: object, world: str | None = None, headers: dict[str, str] | None = None
    ) -> Any:
        """POSTs `params`, encoded, to the route of `world`; returns httpx2's response."""
        return self.http.post(
            self.route(world),
            content=encoded(params),
            headers={"Content-Type": "text/plain", **(headers or {})},
        )

    def registered(self, email: str, world: str | None = None, **changes: Any) -> str:
        """The status of registering `email` in `world`, with `registration`'s changes."""
        return str(self.sent(registration(email, **changes), world).json()["status"])

    def control(self, method: str, path: str, body: object = None, world: str | None = None) -> Any:
        """Asks the control plane of `world`; returns httpx2's response."""
        return self.http.request(method, self.at(f"/_mock{path}", world), json=body)


def seen(open_stub: LiveStub, path: str, world: str | None = None) -> Any:
    """Returns what the control plane of `world` shows at `path`."""
    return open_stub.control("GET", path, world=world).json()
