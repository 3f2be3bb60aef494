"""Cross-origin resource sharing: headers that let pages of other origins use the stub (Fetch)."""

from collections.abc import Iterable, Sequence

from starlette.types import Scope

from clients_register.handlers.http.parser import Header
from clients_register.handlers.stub.problems import Headers

_EXPOSED_HEADERS = (
    b"access-control-expose-headers",
    b"X-Request-Id, Mock-Forced, Mock-Error, Preference-Applied",
)
_VARY = (b"vary", b"Origin")

# Headers that say which pages may read a response. Each may occur once.
_PERMISSIONS = frozenset((b"access-control-allow-origin", b"access-control-allow-credentials"))


class Cors:
    """Allows pages of any origin to call the route without credentials, and of some with them."""

    def __init__(self, origins: Iterable[str]) -> None:
        """`origins` are those whose pages may send credentials."""
        self._origins = frozenset(origin.encode() for origin in origins)
        any_origin = (b"access-control-allow-origin", b"*")
        self._public: Headers = [any_origin, _EXPOSED_HEADERS]

    def headers(self, request_headers: Iterable[Header]) -> Headers:
        """Returns the headers of a response."""
        if not self._origins:
            return self._public
        return self._credentialed(request_headers) or [*self._public, _VARY]

    def preflight_headers(self, scope: Scope, methods: bytes | None = None) -> Headers:
        """Returns the headers that allow what a preflight request announces.

        `methods` are the allowed ones, any by default.
        """
        announced: Sequence[Header] = scope["headers"]
        values = dict(announced)
        return [
            *self.headers(announced),
            (
                b"access-control-allow-methods",
                methods or values[b"access-control-request-method"],
            ),
            (b"access-control-max-age", b"600"),
            *(
                (b"access-control-allow-headers", value)
                for name, value in announced
                if name == b"access-control-request-headers"
            ),
        ]

    def allows_credentials(self, request_headers: Iterable[Header]) -> bool:
        """Whether a request is from a page that may send credentials."""
        return bool(self._origins) and self._credentialed(request_headers) is not None

    def _credentialed(self, request_headers: Iterable[Header]) -> Headers | None:
        for name, value in request_headers:
            if name == b"origin" and value.lower() in self._origins:
                return [
                    (b"access-control-allow-origin", value),
                    (b"access-control-allow-credentials", b"true"),
                    _EXPOSED_HEADERS,
                    _VARY,
                ]
        return None


def without_permissions(headers: Headers) -> Headers:
    """Returns the headers of another server's response without what it allows pages to do."""
    return [each for each in headers if each[0] not in _PERMISSIONS]


def is_preflight(scope: Scope) -> bool:
    """Whether a browser asks if it may send a request."""
    if scope["method"] != "OPTIONS":
        return False
    names = {name for name, _ in scope["headers"]}
    return names >= {b"origin", b"access-control-request-method"}
