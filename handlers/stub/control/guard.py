"""Access control: programs and pages of this machine may use the control plane, other sites not.

Any web page can make a browser send requests to a local port. So the `Host` must be one of this
machine, which defeats DNS rebinding, and an `Origin` must be the control plane's own or an allowed
one.
"""

import hmac
from collections.abc import Iterable

from starlette.types import Scope

from clients_register.handlers.http.parser import parse_authority
from clients_register.handlers.options import is_address, is_loopback
from clients_register.handlers.stub.problems import Headers, Problem


class Guard:
    """Checks the headers of requests."""

    def __init__(self, hosts: Iterable[str], origins: Iterable[str], token: str | None) -> None:
        """`hosts` are allowed besides loopback, `origins` are such as http://localhost:3000.

        If there is a `token`, every request must send it.
        """
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origin.lower() for origin in origins)
        self._token = token

    def admit(self, scope: Scope, *, is_page: bool) -> Headers:
        """Returns headers that allow an admitted page to read the response. Raises Problem.

        `is_page` says whether the request is for a page of the control plane.
        """
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "").lower()
        self._check_host(parse_authority(host.encode("latin-1")).host)
        origin = headers.get(b"origin", "").lower()
        own = origin in (f"http://{host}", f"https://{host}")
        if origin and not own and origin not in self._origins:
            raise Problem(
                "foreign-origin",
                f"a page of {origin} may not use the control plane",
                f"Start the server with --control-origin {origin} if you trust that page",
                403,
            )
        # Following a link to the console is harmless.
        followed = is_page and headers.get(b"sec-fetch-mode") == "navigate"
        foreign = headers.get(b"sec-fetch-site", "none") == "cross-site"
        if not origin and foreign and not followed:
            raise Problem(
                "foreign-origin",
                "a page of another site may not use the control plane",
                "Open the address directly, or allow the page with --control-origin",
                403,
            )
        return _cors_headers(origin) if origin and not own else []

    def check_name(self, scope: Scope) -> None:
        """Raises Problem if the `Host` is a name that pages of another site may have chosen.

        An address is none: DNS rebinding needs a name.
        """
        host = parse_authority(dict(scope["headers"]).get(b"host", b"localhost")).host
        if not is_address(host):
            self._check_host(host)

    def _check_host(self, name: str) -> None:
        if name not in self._hosts and ("%" in name or not is_loopback(name)):
            raise Problem(
                "foreign-host",
                f"expected a Host of this machine, such as localhost, found {name!r}",
                f"Start the server with --control-host {name} if that is a name of this machine",
                403,
            )

    def check_token(self, scope: Scope) -> None:
        """Raises Problem if a token is required and the request does not send it."""
        if self._token is None:
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        scheme, _, token = headers.get(b"authorization", "").partition(" ")
        is_equal = hmac.compare_digest(token.strip().encode(), self._token.encode())
        if scheme.lower() != "bearer" or not is_equal:
            raise Problem(
                "token-needed",
                "expected the header Authorization: Bearer TOKEN with the server's control token",
                "The server was started with it as --control-token",
                401,
                headers=[(b"www-authenticate", b"Bearer")],
            )


def _cors_headers(origin: str) -> Headers:
    return [
        (b"access-control-allow-origin", origin.encode()),
        (b"access-control-allow-methods", b"GET, PUT, POST, DELETE"),
        (b"access-control-allow-headers", b"Authorization, Content-Type"),
        (b"access-control-expose-headers", b"Mock-Error"),
        (b"vary", b"Origin"),
    ]
