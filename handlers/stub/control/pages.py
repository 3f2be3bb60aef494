"""The pages of the control plane: the console and the documentation, without external resources."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import yaml
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Scope

from clients_register import spec
from clients_register.handlers.stub import console
from clients_register.spec.schemas import to_openapi_3_1

MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
}

# Scripts and requests only from and to this server, and no framing. Swagger UI needs inline styles.
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def _console_file(name: str) -> Callable[[], bytes]:
    return (files(console) / name).read_bytes


def _document(name: str) -> Callable[[], bytes]:
    return lambda: spec.text(name).encode()


def _openapi_3_1() -> bytes:
    document = to_openapi_3_1(spec.load("openapi"))
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100).encode()


# The scripts, styles and images of the pages.
_ASSETS = {
    f"{prefix}{part.name}": (Path(part.name).suffix, part.read_bytes)
    for prefix, folder in (("/", files(console)), ("/docs/", files(console) / "swagger-ui"))
    for part in folder.iterdir()
    if Path(part.name).suffix in (".css", ".js", ".svg")
}

# Suffix and content by path below /_mock. Read on each request, so that edits show up at once.
PAGES: dict[str, tuple[str, Callable[[], bytes]]] = _ASSETS | {
    "/": (".html", _console_file("console.html")),
    "/openapi.yaml": (".yaml", _document("openapi")),
    "/openapi-3.1.yaml": (".yaml", _openapi_3_1),
    "/control.yaml": (".yaml", _document("control")),
    "/docs/": (".html", _console_file("docs.html")),
}


def find_page(scope: Scope) -> ASGIApp | None:
    """Returns the page at the path of `scope`, if any."""
    path = scope["path"].removeprefix("/_mock")
    if scope["method"] not in ("GET", "HEAD"):
        return None
    if f"{path}/" in PAGES:
        # Relative links in the page depend on the trailing slash.
        return RedirectResponse(f"{scope['path'].rpartition('/')[2]}/")
    if path not in PAGES:
        return None
    suffix, content = PAGES[path]
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(content(), media_type=MEDIA_TYPES[suffix], headers=headers)
