"""Parameters, views and other schemas of the contract, and its conversion to OpenAPI 3.1."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

DECODED = "x-decoded-schema"

# The keys that a view shows, by kind of object and name of the view.
Views = Mapping[str, Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Parameter:
    """A parameter of the decoded body. `path` is dotted; `max_length` is in code points."""

    path: str
    type: str
    required: bool
    max_length: int | None = None
    view_of: str | None = None

    @property
    def container(self) -> str:
        """The path of the object that contains it; empty at the top level."""
        return self.path.rpartition(".")[0]


class Parameters(tuple[Parameter, ...]):
    """All parameters, objects before their members, with indexes for the rules."""

    @cached_property
    def by_path(self) -> Mapping[str, Parameter]:
        """Parameters by path."""
        return {each.path: each for each in self}

    @cached_property
    def required(self) -> Mapping[str, tuple[str, ...]]:
        """Paths of required members, by the path of their object."""
        return {
            container: tuple(
                each.path for each in self if each.required and each.container == container
            )
            for container in {each.container for each in self}
        }

    @cached_property
    def max_lengths(self) -> Mapping[str, int]:
        """Maximum lengths in code points, by path."""
        return {each.path: each.max_length for each in self if each.max_length is not None}

    @cached_property
    def views(self) -> Mapping[str, str]:
        """Kinds of object, by the path of the parameter that selects their view."""
        return {each.path: each.view_of for each in self if each.view_of is not None}


def resolve(document: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    """Resolves a local reference (`#/components/schemas/X`)."""
    node: Any = document
    for key in reference.removeprefix("#/").split("/"):
        node = node[key]
    schema: Mapping[str, Any] = node
    return schema


def operation(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the only operation of the document."""
    (path,) = document["paths"].values()
    (found,) = path.values()
    return dict(found)


def media_type(document: Mapping[str, Any]) -> str:
    """Returns the media type of the request body, in lower case."""
    (name,) = operation(document)["requestBody"]["content"]
    return str(name).lower()


def decoded_schema(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the schema of the JSON in the request body."""
    (content,) = operation(document)["requestBody"]["content"].values()
    encoded = _dereferenced(document, content["schema"])
    return _dereferenced(document, encoded[DECODED])


def parameters(document: Mapping[str, Any]) -> Parameters:
    """Returns all parameters of the decoded body, objects before their members."""
    return Parameters(_parameters(document, decoded_schema(document), prefix=""))


def views(document: Mapping[str, Any]) -> Views:
    """Returns the views of `x-views`."""
    return {
        kind: {
            name: tuple(_dereferenced(document, schema)["properties"])
            for name, schema in named.items()
        }
        for kind, named in document["x-views"].items()
    }


def severity(document: Mapping[str, Any]) -> dict[str, int]:
    """Returns the rank of each message of `errors`, 0 being the worst."""
    error = resolve(document, "#/components/schemas/Error")
    return {word: place for place, word in enumerate(error["properties"]["message"]["enum"])}


def _dereferenced(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return resolve(document, schema["$ref"]) if "$ref" in schema else schema


def _parameters(
    document: Mapping[str, Any], schema: Mapping[str, Any], prefix: str
) -> Iterator[Parameter]:
    for name, written in schema["properties"].items():
        member = _dereferenced(document, written)
        yield Parameter(
            path=prefix + name,
            type=member["type"],
            required=name in schema.get("required", ()),
            max_length=member.get("maxLength"),
            view_of=member.get("x-view-of"),
        )
        if member["type"] == "object":
            yield from _parameters(document, member, prefix=f"{prefix}{name}.")


def to_openapi_3_1(document: Mapping[str, Any]) -> dict[str, Any]:
    """Converts a document from OpenAPI 3.0 to 3.1.

    OpenAPI 3.1 uses JSON Schema 2020-12, which can express what 3.0 needs an extension for: a
    string that is base64 (`contentEncoding`) of JSON (`contentMediaType`) with a schema
    (`contentSchema`). Sources: OpenAPI 3.1.0, "Considerations for File Uploads"; JSON Schema
    2020-12 Validation, section 8.
    """
    converted: dict[str, Any] = to_json_schema(document)
    return converted | {"openapi": "3.1.0"}


def to_json_schema(node: Any) -> Any:
    """Converts any part of a 3.0 document to its form in 3.1."""
    if isinstance(node, list):
        return [to_json_schema(member) for member in node]
    if not isinstance(node, Mapping):
        return node
    converted = {key: to_json_schema(member) for key, member in node.items()}
    if DECODED in converted:
        del converted["format"]
        converted["contentEncoding"] = "base64"
        converted["contentMediaType"] = "application/json"
        converted["contentSchema"] = converted.pop(DECODED)
    if converted.get("nullable") is True and "type" in converted:
        del converted["nullable"]
        converted["type"] = [converted["type"], "null"]
    if "type" in converted and "example" in converted:
        converted["examples"] = [converted.pop("example")]
    return converted
