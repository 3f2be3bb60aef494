"""Configures other mock servers so that each returns the response of the bare application.

Each is configured by files in its own format, and selects the response by the header that wrk
sends.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import bare
import servers

from clients_register import spec

Start = Callable[[], AbstractContextManager[servers.Server]]

NAMES = ("prism", "wiremock", "mockoon", "specmatic")

NAME = "missing-param"
PREFER = f"code=400, example={NAME}"
JSON = {"Content-Type": "application/json"}


def starts(folder: Path) -> dict[str, Start]:
    """Returns how each tool is started, by name; prints the names of those not installed."""
    found: dict[str, Start] = {}
    for name in NAMES:
        if servers.available(name):
            found[name] = _start(name, folder)
        else:
            print(f"{name}: absent; see bench/README.md for how to install it")
    return found


def _start(name: str, folder: Path) -> Start:
    match name:
        case "prism":
            return partial(servers.prism, document(folder))
        case "wiremock":
            return partial(servers.wiremock, mapping(folder))
        case "mockoon":
            return partial(servers.mockoon, environment(folder))
    return partial(servers.specmatic, document(folder), examples(folder))


def document(folder: Path) -> Path:
    """Writes the OpenAPI document, for the tools that read it."""
    file = folder / "openapi.yaml"
    file.write_text(spec.text("openapi"), "utf-8")
    return file


def mapping(folder: Path) -> Path:
    """Writes a folder for WireMock with one mapping."""
    answer = {"status": 400, "headers": JSON, "body": bare.BODY.decode()}
    headers = {"Prefer": {"contains": NAME}}
    asked = {"method": "POST", "url": servers.ROUTE, "headers": headers}
    put(folder / "wiremock" / "mappings" / "forced.json", {"request": asked, "response": answer})
    return folder / "wiremock"


def environment(folder: Path) -> Path:
    """Writes a file for Mockoon: one route with a rule for the header."""
    rule = {"target": "header", "modifier": "Prefer", "operator": "regex", "value": NAME}
    answer = {
        "uuid": "forced",
        "statusCode": 400,
        "body": bare.BODY.decode(),
        "bodyType": "INLINE",
        "headers": [{"key": key, "value": value} for key, value in JSON.items()],
        "rules": [rule],
        "fallbackTo404": True,
        "disableTemplating": True,
    }
    route = {
        "uuid": "route",
        "type": "http",
        "method": "post",
        "endpoint": servers.ROUTE.removeprefix("/"),
        "responses": [answer],
    }
    children = [{"type": "route", "uuid": "route"}]
    content = {"name": "forced", "routes": [route], "rootChildren": children}
    return put(folder / "mockoon.json", content)


def examples(folder: Path) -> Path:
    """Writes a folder for Specmatic with one example of an exchange.

    Specmatic has no header that selects an example by name (`Specmatic-Response-Code` generates a
    response with that code), but an example may require certain request headers.
    """
    asked = {
        "method": "POST",
        "path": servers.ROUTE.removeprefix("/api/v1"),
        "body": "e30=",
        "headers": {"Content-Type": "text/plain", "Prefer": PREFER},
    }
    headers = {**JSON, "X-Request-Id": "0123456789abcdef"}
    answer = {"status": 400, "headers": headers, "body": json.loads(bare.BODY)}
    content = {"http-request": asked, "http-response": answer}
    return put(folder / "specmatic" / "forced.json", content).parent


def put(file: Path, content: object) -> Path:
    """Writes `content` as JSON; returns the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), "utf-8")
    return file
