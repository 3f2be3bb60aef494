"""The control plane as an ASGI application: admits requests, serves pages and operations."""

import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from clients_register import spec
from clients_register.handlers.app import CallerDisconnected, build_router, read_request
from clients_register.handlers.context import CONTEXT
from clients_register.handlers.http.connection import connection_of
from clients_register.handlers.logs import store_errors
from clients_register.handlers.settings import CONTROL_PATH
from clients_register.handlers.store.base import StoreError
from clients_register.handlers.stub import console
from clients_register.handlers.stub.control import api
from clients_register.handlers.stub.control.call import (
    ControlCall,
    ControlContext,
    ControlResponse,
    ControlStream,
    StubParts,
)
from clients_register.handlers.stub.control.guard import Guard
from clients_register.handlers.stub.control.validation import (
    BodyValidator,
    PathValidator,
    QueryValidator,
)
from clients_register.handlers.stub.problems import (
    Headers,
    Problem,
    response_messages,
    with_headers,
)
from clients_register.spec.schema_errors import suggest
from clients_register.spec.schemas import resolve, to_json_schema, to_openapi_3_1

log = logging.getLogger(__name__)

PREFIX = CONTROL_PATH
MAX_BODY = 1024 * 1024

_NOT_STORED = (b"cache-control", b"no-store")
_JSON = (b"content-type", b"application/json")

MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
}

# Scripts and requests only from and to this server, and no framing. Swagger UI needs inline styles.
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

CRASH = Problem(
    "crash", "the control plane crashed; the log says where", "Please report it", code=500
)


class ControlPlane:
    """Serves the paths under `/_mock`."""

    def __init__(self, router: ASGIApp, parts: StubParts, guard: Guard) -> None:
        """`router` is that of the control plane's document."""
        self._router = router
        self._parts = parts
        self._guard = guard

    async def __call__(self, world: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request to the world of that name; the scope's path is relative to it."""
        headers: Headers = []
        try:
            page = find_page(scope)
            headers = self._guard.admit(scope, is_page=page is not None)
            await self._serve(world, page, scope, receive, with_headers(headers, send))
        except Problem as problem:
            await problem.send(send, headers)
        except HTTPException:
            await _unknown_method(scope).send(send, headers)
        except StoreError as error:
            store_errors.error(f"the world {world} cannot be used", error)
            unusable = Problem("unusable-data", str(error), "See the log of the server", 500)
            await unusable.send(send, headers)
        except CallerDisconnected:
            return
        except Exception:
            log.exception("a crash in the control plane")
            await CRASH.send(send, headers)

    async def _serve(
        self, name: str, page: ASGIApp | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["method"] == "OPTIONS":
            for message in response_messages(204, []):
                await send(message)
        elif page is not None:
            # Without a token: pages contain no secrets, and a browser cannot send one with a link.
            await page(scope, receive, send)
        else:
            self._guard.check_token(scope)
            # Only now, so that no refused request creates a world.
            world = self._parts.worlds.find(name) or self._parts.worlds.create(name)
            connection = connection_of(scope)
            world.begin_request(connection)
            try:
                context = ControlContext(self._parts, world)
                await self._router({**scope, CONTEXT: context}, receive, send)
            finally:
                world.end_request(connection)


async def build_control_router() -> ASGIApp:
    """Builds the router of the control plane's document."""
    return await build_router(spec.load("control"), PREFIX, api, ControlOperation, _unknown_path)


def _console_file(name: str) -> Callable[[], bytes]:
    return (files(console) / name).read_bytes


def _document(name: str) -> Callable[[], bytes]:
    return lambda: spec.text(name).encode()


def _openapi_3_1() -> bytes:
    document = to_openapi_3_1(spec.load("openapi"))
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100).encode()


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


# The scripts, styles and images of the pages.
_ASSETS = {
    f"{prefix}{part.name}": (Path(part.name).suffix, part.read_bytes)
    for prefix, folder in (("/", files(console)), ("/docs/", files(console) / "swagger-ui"))
    for part in folder.iterdir()
    if Path(part.name).suffix in (".css", ".js", ".svg")
}

# Suffix and content by path below /_mock. Files are read on each request, so that edits show up.
PAGES: dict[str, tuple[str, Callable[[], bytes]]] = _ASSETS | {
    "/": (".html", _console_file("console.html")),
    "/openapi.yaml": (".yaml", _document("openapi")),
    "/openapi.json": (".json", lambda: _json(spec.load("openapi"))),
    "/openapi-3.1.yaml": (".yaml", _openapi_3_1),
    "/openapi-3.1.json": (".json", lambda: _json(to_openapi_3_1(spec.load("openapi")))),
    "/control.yaml": (".yaml", _document("control")),
    "/control.json": (".json", lambda: _json(spec.load("control"))),
    "/docs/": (".html", _console_file("docs.html")),
}


def find_page(scope: Scope) -> ASGIApp | None:
    """Returns the page at the path of `scope`, if any."""
    path = scope["path"].removeprefix(PREFIX)
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


class ControlOperation:
    """One operation of the control plane, called by Connexion."""

    def __init__(
        self, function: Callable[[ControlCall], Awaitable[Any]], definition: Mapping[str, Any]
    ) -> None:
        """`definition` is the operation in the document."""
        document = _json_schema_document()
        parameters = [
            resolve(document, each["$ref"]) if "$ref" in each else each
            for each in definition.get("parameters", ())
        ]
        self._function = function
        self._query = QueryValidator([each for each in parameters if each["in"] == "query"])
        self._path = PathValidator([each for each in parameters if each["in"] == "path"])
        self._body: BodyValidator | None = None
        if "requestBody" in definition:
            schema = definition["requestBody"]["content"]["application/json"]["schema"]
            self._body = BodyValidator(to_json_schema(schema), document["components"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Calls the function, and responds with what it returns. Raises Problem."""
        context: ControlContext = scope[CONTEXT]
        request, _ = await read_request(scope, receive, MAX_BODY)
        if request.body is None:
            detail = f"the body: expected at most {MAX_BODY} bytes, found more"
            raise Problem("large-body", detail, "Send less at once", 413)
        call = ControlCall(
            parts=context.parts,
            world=context.world,
            path=self._path.parse(scope["path_params"]),
            query=self._query.parse(scope["query_string"]),
            body=self._body.parse(request.body) if self._body else None,
        )
        result = await self._function(call)
        if isinstance(result, ControlStream):
            await _send_stream(send, result)
        else:
            known = isinstance(result, ControlResponse)
            await _send(send, result if known else ControlResponse(200, result))


@cache
def _json_schema_document() -> dict[str, Any]:
    """Returns the document as OpenAPI 3.1, whose schemas are JSON Schema (without `nullable`)."""
    return to_openapi_3_1(spec.load("control"))


async def _unknown_path(scope: Scope, _receive: Receive, _send: Send) -> None:
    if scope["type"] == "http":
        path = scope["path"].removeprefix(PREFIX)
        detail = f"the control plane has no path {path!r}"
        hint = suggest(path, list(spec.load("control")["paths"]))
        raise Problem("unknown-path", detail, hint, 404)


def _unknown_method(scope: Scope) -> Problem:
    path = scope["path"].removeprefix(PREFIX)
    methods = [
        key.upper()
        for template, item in spec.load("control")["paths"].items()
        if re.fullmatch(re.sub(r"\{.*?\}", "[^/]+", template), path)
        for key in item
        if key != "parameters"
    ]
    return Problem(
        "other-method",
        f"{path}: expected one of {', '.join(methods)}, found {scope['method']}",
        suggest(scope["method"], methods),
        code=405,
        headers=[(b"allow", ", ".join(methods).encode())],
    )


async def _send_stream(send: Send, stream: ControlStream) -> None:
    headers = [_NOT_STORED, _JSON]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    before, after = (each.encode() for each in stream.frame)
    separator = before + b"["
    async for item in stream.items:
        part = separator + json.dumps(item, ensure_ascii=False).encode()
        await send({"type": "http.response.body", "body": part, "more_body": True})
        separator = b","
    start = b"" if separator == b"," else separator
    await send({"type": "http.response.body", "body": start + b"]" + after})


async def _send(send: Send, response: ControlResponse) -> None:
    body = b""
    headers = [_NOT_STORED]
    if response.value is not None:
        body = json.dumps(response.value, ensure_ascii=False).encode()
        headers.append(_JSON)
        headers.append((b"content-length", str(len(body)).encode()))
    for message in response_messages(response.code, headers, body):
        await send(message)
