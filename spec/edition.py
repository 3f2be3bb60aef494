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
    edition: dict[str, Any] = newer(document)
    return edition | {"openapi": "3.1.0"}


def newer(node: Any) -> Any:
    """Any part of a 3.0 document as 3.1 has it."""
    if isinstance(node, list):
        return [newer(member) for member in node]
    if not isinstance(node, Mapping):
        return node
    made = {key: newer(member) for key, member in node.items()}
    if DECODED in made:
        del made["format"]
        made["contentEncoding"] = "base64"
        made["contentMediaType"] = "application/json"
        made["contentSchema"] = made.pop(DECODED)
    if made.get("nullable") is True and "type" in made:
        del made["nullable"]
        made["type"] = [made["type"], "null"]
    if "type" in made and "example" in made:
        made["examples"] = [made.pop("example")]
    return made
