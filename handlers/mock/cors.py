"""Cross-origin requests to the route: any page may call the stub, without credentials.

Source: the Fetch standard, CORS protocol. A reference server has none of this.
"""

from collections.abc import Iterable

from clients_register.handlers.mock.headers import Headers

EXPOSED = b"X-Request-Id, Mock-Forced, Mock-Error, Preference-Applied"

ON_ANSWERS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", EXPOSED),
]


def is_preflight(method: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a browser asks what it may ask, before it asks."""
    if method != "OPTIONS":
        return False
    return {b"origin", b"access-control-request-method"} <= {name for name, _ in headers}


def on_preflight(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers that allow the POST that a preflight with `headers` announces."""
    asked = [value for name, value in headers if name == b"access-control-request-headers"]
    allowed: Headers = [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", b"POST"),
        (b"access-control-max-age", b"600"),
    ]
    return allowed + [(b"access-control-allow-headers", value) for value in asked]
