"""A real stub on a free port, in a thread of the test process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from support.live import Live, encoded, registration

from clients_register.handlers.resources import Product
from clients_register.handlers.stub.build import open_stub

# Seconds for which a caller asks the server to wait; the fixture `waits` makes more of them.
WAIT = 59


class LiveStub(Live):
    """A running stub. Its worlds' clocks stand on a clock that the test moves."""

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
        """POSTs `params`, encoded, to the route of `world`; returns httpx's response."""
        return self.http.post(
            self.route(world),
            content=encoded(params),
            headers={"Content-Type": "text/plain", **(headers or {})},
        )

    def registered(self, email: str, world: str | None = None, **changes: Any) -> str:
        """The status of registering `email` in `world`, with `registration`'s changes."""
        return str(self.sent(registration(email, **changes), world).json()["status"])

    def control(self, method: str, path: str, body: object = None, world: str | None = None) -> Any:
        """Asks the control plane of `world`; returns httpx's response."""
        return self.http.request(method, self.at(f"/_mock{path}", world), json=body)


def seen(open_stub: LiveStub, path: str, world: str | None = None) -> Any:
    """What the control plane of `world` shows at `path`."""
    return open_stub.control("GET", path, world=world).json()
