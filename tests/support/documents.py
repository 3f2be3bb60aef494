"""Reading the OpenAPI document in tests: references followed, schemas found, values checked."""

from collections.abc import Iterator, Mapping
from typing import Any

from openapi_schema_validator import OAS30WriteValidator, OAS31Validator

Document = Mapping[str, Any]


def resolved(document: Document, node: Any) -> Any:
    """`node` with every local reference in it replaced by what it points to."""
    if isinstance(node, list):
        return [resolved(document, member) for member in node]
    if not isinstance(node, Mapping):
        return node
    if "$ref" in node:
        target: Any = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        return resolved(document, target)
    return {key: resolved(document, member) for key, member in node.items()}


def faults(document: Document, schema: Any, value: Any) -> list[str]:
    """What the edition of `document` has against `value` under `schema`."""
    # Of the 3.0 validators only this one asks for members that are never read back (a password).
    older = document["openapi"].startswith("3.0")
    dialect = OAS30WriteValidator if older else OAS31Validator
    validator = dialect(resolved(document, schema), format_checker=dialect.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(value)]


def response_examples(document: Document) -> Iterator[tuple[str, str, Any, Any]]:
    """Each named example of an answer: code, name, value, and schema."""
    for path in document["paths"].values():
        for operation in path.values():
            for code, response in operation["responses"].items():
                for content in response["content"].values():
                    for name, example in content["examples"].items():
                        yield code, name, example["value"], content["schema"]


def request_examples(document: Document) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Each named example of a request body: its name, the example, the schema of the body."""
    for path in document["paths"].values():
        for operation in path.values():
            for content in operation["requestBody"]["content"].values():
                for name, example in content["examples"].items():
                    yield name, example, resolved(document, content["schema"])


def schemas(node: Any, where: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema inside `node`, outermost first, with its place."""
    if isinstance(node, Mapping):
        if "type" in node and isinstance(node["type"], str | list):
            yield where, node
        for key, member in node.items():
            yield from schemas(member, f"{where}/{key}")
    elif isinstance(node, list):
        for at, member in enumerate(node):
            yield from schemas(member, f"{where}/{at}")
