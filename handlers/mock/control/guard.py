"""Who may drive the control plane: this machine's programs and pages, and nobody else's pages.

A page of another site can make a browser send requests to a port of this machine. So the `Host`
must be this machine's, which defeats DNS rebinding, and an `Origin`, where there is one, must be
the control plane's own or allowed by name.
"""

import hmac
from collections.abc import Iterable

from starlette.types import Scope

from clients_register.handlers.mock.headers import Headers
from clients_register.handlers.mock.problems import Problem
from clients_register.handlers.options import is_loopback


class Guard:
    """Decides over requests by their headers."""

    def __init__(self, hosts: Iterable[str], origins: Iterable[str], token: str | None) -> None:
        """`hosts` are names beside those of loopback, `origins` such as http://localhost:3000.

        Where there is a `token`, every request must carry it.
        """
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origin.lower() for origin in origins)
        self._token = token

    def admit(self, scope: Scope) -> Headers:
        """The headers that allow an admitted page to read the answer. Raises Problem."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "").lower()
        self._check_host(host)
        origin = headers.get(b"origin", "").lower()
        own = origin in (f"http://{host}", f"https://{host}")
        if origin and not own and origin not in self._origins:
            raise Problem(
                "foreign-origin",
                f"a page of {origin} may not drive the control plane",
                f"Start the server with --control-origin {origin}, if you trust that page",
                403,
            )
        # A link that somebody follows to the console is no page that drives it.
        followed = scope["method"] == "GET" and headers.get(b"sec-fetch-mode") == "navigate"
        foreign = headers.get(b"sec-fetch-site", "none") == "cross-site"
        if not origin and foreign and not followed:
            raise Problem(
                "foreign-origin",
                "a page of another site may not drive the control plane",
                "Open the address itself, or allow the page by --control-origin",
                403,
            )
        return _allowing(origin) if origin and not own else []

    def _check_host(self, host: str) -> None:
        name = _host_name(host)
        if name not in self._hosts and not is_loopback(name):
            raise Problem(
                "foreign-host",
                f"expected a Host of this machine, such as localhost, found {host!r}",
                f"Start the server with --control-host {name}, if that is this machine's name",
                403,
            )

    def check_token(self, scope: Scope) -> None:
        """Raises Problem where a token is needed and `scope` does not carry it."""
        if self._token is None:
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        scheme, _, given = headers.get(b"authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode(), self._token.encode())
        if scheme.lower() != "bearer" or not same:
            raise Problem(
                "token-needed",
                "expected the header Authorization: Bearer TOKEN with the server's control token",
                "It is what the server was started with as --control-token",
                401,
                headers=[(b"www-authenticate", b"Bearer")],
            )


def _host_name(host: str) -> str:
    """The name in a `Host` header, without port and brackets."""
    if host.startswith("["):
        return host.partition("]")[0][1:]
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host


def _allowing(origin: str) -> Headers:
    return [
        (b"access-control-allow-origin", origin.encode()),
        (b"access-control-allow-methods", b"GET, PUT, POST, DELETE"),
        (b"access-control-allow-headers", b"Authorization, Content-Type"),
        (b"access-control-expose-headers", b"Mock-Error"),
        (b"vary", b"Origin"),
    ]
