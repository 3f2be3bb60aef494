"""The pages of the control plane: the console and the documents, all from this machine."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import swagger_ui_bundle
import yaml
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Scope

from clients_register import spec
from clients_register.handlers.mock import console
from clients_register.spec.edition import edition_3_1

TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
}

# No script or request but to this server; nobody may frame the page. Styles are written by Swagger
# UI into its elements.
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

_SWAGGER = Path(swagger_ui_bundle.swagger_ui_path)


def _own(name: str) -> Callable[[], bytes]:
    return (files(console) / name).read_bytes


def _swagger(name: str) -> Callable[[], bytes]:
    return (_SWAGGER / name).read_bytes


def _document(name: str) -> Callable[[], bytes]:
    return lambda: spec.text(name).encode()


def _newer() -> bytes:
    newer = edition_3_1(spec.load("openapi"))
    return yaml.safe_dump(newer, allow_unicode=True, sort_keys=False, width=100).encode()


# What the pages are made of, each under its own name.
_PARTS = {
    f"/{part.name}": (Path(part.name).suffix, _own(part.name))
    for part in files(console).iterdir()
    if Path(part.name).suffix in (".css", ".js", ".svg")
}

# Path below /_mock -> what is there; read anew each time, a page is opened seldom.
PAGES: dict[str, tuple[str, Callable[[], bytes]]] = _PARTS | {
    "/": (".html", _own("console.html")),
    "/openapi.yaml": (".yaml", _document("openapi")),
    "/openapi-3.1.yaml": (".yaml", _newer),
    "/control.yaml": (".yaml", _document("control")),
    "/docs/": (".html", _own("docs.html")),
    "/docs/swagger-ui.css": (".css", _swagger("swagger-ui.css")),
    "/docs/swagger-ui-bundle.js": (".js", _swagger("swagger-ui-bundle.js")),
    "/docs/swagger-ui-standalone-preset.js": (".js", _swagger("swagger-ui-standalone-preset.js")),
}


def page(scope: Scope) -> ASGIApp | None:
    """The page at the path of `scope`; None where there is none."""
    path = scope["path"].removeprefix("/_mock")
    if scope["method"] not in ("GET", "HEAD"):
        return None
    if f"{path}/" in PAGES:
        # Links in a page are relative to it, and the slash decides where they lead.
        return RedirectResponse(f"{scope['path'].rpartition('/')[2]}/")
    if path not in PAGES:
        return None
    kind, content = PAGES[path]
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(content(), media_type=TYPES[kind], headers=headers)
