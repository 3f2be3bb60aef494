"""Connexion's part in the control plane: a request reaches the function that the document names."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any

from starlette.types import Receive, Scope, Send

from clients_register import spec
from clients_register.handlers.exchange import read
from clients_register.handlers.mock.control.calls import Call, Desk, Shown
from clients_register.handlers.mock.control.checking import Body, Path, Query
from clients_register.handlers.mock.problems import Problem, suggestion
from clients_register.handlers.mock.stub import WORLD
from clients_register.spec.edition import edition_3_1, newer
from clients_register.spec.schemas import resolve

Function = Callable[[Call], Awaitable[Any]]

# The key of the ASGI scope under which the control plane finds what it works on.
DESK = "clients_register.desk"

MAX_BODY = 1024 * 1024


class ControlOperation:
    """One operation; what is derived from the document is derived at start-up."""

    def __init__(self, function: Function, written: Mapping[str, Any]) -> None:
        """`written` is the operation in the document."""
        document = _document()
        parameters = [
            resolve(document, each["$ref"]) if "$ref" in each else each
            for each in written.get("parameters", ())
        ]
        self._function = function
        self._query = Query([each for each in parameters if each["in"] == "query"])
        self._path = Path([each for each in parameters if each["in"] == "path"])
        self._body: Body | None = None
        if "requestBody" in written:
            schema = written["requestBody"]["content"]["application/json"]["schema"]
            self._body = Body(newer(schema), document["components"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Calls the function, and shows what it returns. Raises Problem."""
        desk: Desk = scope[DESK]
        request, _ = await read(scope, receive, MAX_BODY)
        if request.body is None:
            detail = f"the body is larger than {MAX_BODY} bytes"
            raise Problem("large-body", detail, "Send less at once", 413)
        call = Call(
            desk=desk,
            world=scope[WORLD],
            path=self._path.read(scope["path_params"]),
            query=self._query.read(scope["query_string"]),
            body=self._body.read(request.body) if self._body else None,
        )
        shown = await self._function(call)
        await _send(send, shown if isinstance(shown, Shown) else Shown(200, shown))


@cache
def _document() -> dict[str, Any]:
    """The control plane's document in JSON Schema's terms, which have no `nullable`."""
    return edition_3_1(spec.load("control"))


async def no_path(scope: Scope, _receive: Receive, _send: Send) -> None:
    """What Connexion calls where no operation fits the path."""
    if scope["type"] == "http":
        raise unknown_path(scope["path"], spec.load("control")["paths"])


def unknown_path(path: str, known: Mapping[str, Any]) -> Problem:
    """The complaint about a path that the control plane does not have."""
    found = path.removeprefix("/_mock")
    return Problem(
        "unknown-path",
        f"the control plane has no path {found!r}",
        suggestion(found, list(known)),
        404,
    )


def other_method(scope: Scope) -> Problem:
    """The complaint about a method that the path of `scope` does not have."""
    found = scope["path"].removeprefix("/_mock")
    methods = [
        key.upper()
        for template, item in spec.load("control")["paths"].items()
        if re.fullmatch(re.sub(r"\{.*?\}", "[^/]+", template), found)
        for key in item
        if key != "parameters"
    ]
    return Problem(
        "other-method",
        f"{found}: expected one of {', '.join(methods)}, found {scope['method']}",
        suggestion(scope["method"], methods),
        code=405,
        headers=[(b"allow", ", ".join(methods).encode())],
    )


async def _send(send: Send, shown: Shown) -> None:
    body = b""
    headers = [(b"cache-control", b"no-store")]
    if shown.value is not None:
        body = json.dumps(shown.value, ensure_ascii=False).encode()
        headers.append((b"content-type", b"application/json"))
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": shown.code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
