"""HTTP Archives, checked against a schema that is not ours."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft6Validator
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.jsonschema import DRAFT6
from support.command import NPM, absent


@cache
def _validator() -> Validator:
    files = [*(NPM / "node_modules" / "har-schema" / "lib").glob("*.json")]
    if not files:
        absent(f"har-schema is not installed: run `npm ci` in {NPM}")
    schemas = [json.loads(each.read_text("utf-8")) for each in files]
    resources = [(each["$id"], DRAFT6.create_resource(each)) for each in schemas]
    registry: Registry[Any] = Registry().with_resources(resources)
    return Draft6Validator({"$ref": "har.json#"}, registry=registry)


def entries_of(archive: Any) -> list[dict[str, Any]]:
    """The entries of an archive, which is checked first."""
    assert [error.message for error in _validator().iter_errors(archive)] == []
    found: list[dict[str, Any]] = archive["log"]["entries"]
    return found


def header(message: dict[str, Any], name: str) -> str | None:
    """The header of that name of a request or a response in an archive."""
    named = (each["value"] for each in message["headers"] if each["name"].lower() == name)
    return next(named, None)
