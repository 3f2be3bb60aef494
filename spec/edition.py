"""The 3.1 edition of the contract, generated from the hand-written 3.0 one.

OpenAPI 3.1 speaks JSON Schema 2020-12, which has words for what 3.0 needs an extension for: a
string that is base64 (`contentEncoding`) of JSON (`contentMediaType`) of a schema
(`contentSchema`). Sources: OpenAPI 3.1.0, "Considerations for File Uploads"; JSON Schema 2020-12
Validation, section 8.
"""

from collections.abc import Mapping
from typing import Any

DECODED = "x-decoded-schema"


def edition_3_1(document: Mapping[str, Any]) -> dict[str, Any]:
    """`document` (OpenAPI 3.0) as OpenAPI 3.1; the argument is left as it is."""
    newer: dict[str, Any] = _newer(document)
    return newer | {"openapi": "3.1.0"}


def _newer(node: Any) -> Any:
    if isinstance(node, list):
        return [_newer(member) for member in node]
    if not isinstance(node, Mapping):
        return node
    newer = {key: _newer(member) for key, member in node.items()}
    if DECODED in newer:
        del newer["format"]
        newer["contentEncoding"] = "base64"
        newer["contentMediaType"] = "application/json"
        newer["contentSchema"] = newer.pop(DECODED)
    if newer.get("nullable") is True and "type" in newer:
        del newer["nullable"]
        newer["type"] = [newer["type"], "null"]
    if "type" in newer and "example" in newer:
        newer["examples"] = [newer.pop("example")]
    return newer
