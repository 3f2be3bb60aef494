"""What other people's mocks are told, so that each gives the bare application's answer.

Each is asked by the header that wrk sends, and set up by files of its own kind in a folder.
"""

import json
from pathlib import Path

import bare
import servers

from clients_register import spec

NAME = "missing-param"
PREFER = f"code=400, example={NAME}"
JSON = {"Content-Type": "application/json"}


def document(folder: Path) -> Path:
    """The OpenAPI document, for those who read it."""
    file = folder / "openapi.yaml"
    file.write_text(spec.text("openapi"), "utf-8")
    return file


def mapping(folder: Path) -> Path:
    """A folder for WireMock: one mapping."""
    answer = {"status": 400, "headers": JSON, "body": bare.BODY.decode()}
    headers = {"Prefer": {"contains": NAME}}
    asked = {"method": "POST", "url": servers.ROUTE, "headers": headers}
    put(folder / "wiremock" / "mappings" / "forced.json", {"request": asked, "response": answer})
    return folder / "wiremock"


def environment(folder: Path) -> Path:
    """A file for Mockoon: one route, whose rule reads the header."""
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
    """A folder for Specmatic: one example of an exchange, beside the document.

    It has no header that asks for an example by its name (`Specmatic-Response-Code` makes up an
    answer of that code), but an example may say with which headers it is meant.
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
    """Writes JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), "utf-8")
    return file
