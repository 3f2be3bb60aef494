"""The schemas of the contract, as both the server and the suite need them: flat and resolved."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Parameter:
    """One parameter of the decoded body. `path` is dotted; `max_length` is in code points."""

    path: str
    type: str
    required: bool
    max_length: int | None = None
    view_of: str | None = None

    @property
    def container(self) -> str:
        """The path of the object that holds it; empty at the top level."""
        return self.path.rpartition(".")[0]


class Parameters(tuple[Parameter, ...]):
    """All parameters, containers before what they hold, and by what is asked of them.

    Rules ask on each request; what they ask is derived once.
    """

    @cached_property
    def by_path(self) -> Mapping[str, Parameter]:
        """Each under its path."""
        return {each.path: each for each in self}

    @cached_property
    def required(self) -> Mapping[str, tuple[str, ...]]:
        """Container -> paths of what must be passed in it."""
        return {
            container: tuple(
                each.path for each in self if each.required and each.container == container
            )
            for container in {each.container for each in self}
        }

    @cached_property
    def max_lengths(self) -> Mapping[str, int]:
        """Path -> most code points, of those that have a limit."""
        return {each.path: each.max_length for each in self if each.max_length is not None}

    @cached_property
    def views(self) -> Mapping[str, str]:
        """Path -> what it is a view of, of those that name one."""
        return {each.path: each.view_of for each in self if each.view_of is not None}


def resolve(document: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    """What a local reference (`#/components/schemas/X`) points to."""
    node: Any = document
    for key in reference.removeprefix("#/").split("/"):
        node = node[key]
    schema: Mapping[str, Any] = node
    return schema


def operation(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one operation of the document."""
    (path,) = document["paths"].values()
    (found,) = path.values()
    return dict(found)


def media_type(document: Mapping[str, Any]) -> str:
    """The media type of the request body, in lower case."""
    (name,) = operation(document)["requestBody"]["content"]
    return str(name).lower()


def decoded_schema(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of what stands inside the base64 of the request body."""
    (content,) = operation(document)["requestBody"]["content"].values()
    encoded = _dereferenced(document, content["schema"])
    return _dereferenced(document, encoded["x-decoded-schema"])


def parameters(document: Mapping[str, Any]) -> Parameters:
    """Every parameter of the decoded body, containers before what they hold."""
    return Parameters(_parameters(document, decoded_schema(document), prefix=""))


def views(document: Mapping[str, Any]) -> dict[str, dict[str, tuple[str, ...]]]:
    """kind of object -> name of a view -> the keys it shows, from `x-views`."""
    return {
        kind: {
            name: tuple(_dereferenced(document, schema)["properties"])
            for name, schema in named.items()
        }
        for kind, named in document["x-views"].items()
    }


def severity(document: Mapping[str, Any]) -> dict[str, int]:
    """The messages of `errors` -> their place, the gravest first."""
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
