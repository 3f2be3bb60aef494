"""Validates parameters and bodies of the control plane against its document.

Each raises Problem with the place, what was expected and found, and the closest valid word.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from clients_register.handlers.stub.problems import Problem
from clients_register.spec.schema_errors import explain, suggest, with_article

Schema = Mapping[str, Any]

BOOLEANS = {"true": True, "1": True, "": True, "false": False, "0": False}
DEFAULT_HINT = "GET /_mock/docs/ describes what is expected"


class BodyValidator:
    """Validates the JSON body of one operation."""

    def __init__(self, schema: Schema, components: Mapping[str, Any]) -> None:
        """`schema` is JSON Schema 2020-12, with references to `components`."""
        self._validator = Draft202012Validator({**schema, "components": components})

    def parse(self, raw: bytes) -> Any:
        """Parses and validates a body. An empty one counts as `{}`."""
        try:
            value = json.loads(raw or b"{}", parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise Problem(
                "unreadable-body",
                f"the body: expected JSON in UTF-8, found something else: {error}",
                "Send a JSON body",
            ) from None
        _validate(self._validator, value, "the body")
        return value


class PathValidator:
    """Validates the path parameters of one operation."""

    def __init__(self, parameters: Sequence[Mapping[str, Any]]) -> None:
        """`parameters` are those of the document with `in: path`."""
        self._validators = {
            each["name"]: Draft202012Validator(each["schema"]) for each in parameters
        }

    def parse(self, values: Mapping[str, str]) -> Mapping[str, str]:
        """Validates `values`, and returns them."""
        for name, validator in self._validators.items():
            _validate(validator, values[name], f"path, {name}")
        return values


class QueryValidator:
    """Validates the query parameters of one operation."""

    def __init__(self, parameters: Sequence[Mapping[str, Any]]) -> None:
        """`parameters` are those of the document with `in: query`."""
        self._schemas = {each["name"]: each["schema"] for each in parameters}

    def parse(self, raw: bytes) -> dict[str, Any]:
        """Parses and validates a query string, and adds defaults."""
        values = {
            name: schema["default"] for name, schema in self._schemas.items() if "default" in schema
        }
        for name, text in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
            if name not in self._schemas:
                hint = suggest(name, self._schemas) if self._schemas else "Leave the query out"
                raise Problem("unknown-query", f"query: no parameter is called {name!r}", hint)
            values[name] = _parse_parameter(name, text, self._schemas[name])
        return values


def _validate(validator: Draft202012Validator, value: object, place: str) -> None:
    error = best_match(validator.iter_errors(value))
    if error is not None:
        problem = explain(error)
        detail = f"{problem.path or place}: expected {problem.expected}, found {problem.found}"
        raise Problem("unusable-body", detail, problem.hint or DEFAULT_HINT)


def _refuse_constant(constant: str) -> Any:
    # Python accepts NaN and Infinity, JSON does not.
    raise ValueError(f"{constant} is not a JSON number")


def _parse_parameter(name: str, text: str, schema: Schema) -> Any:
    parsers: dict[str, Callable[[str], Any]] = {
        "boolean": lambda text: BOOLEANS[text.lower()],
        "integer": _parse_integer,
        "number": _parse_number,
        "string": str,
    }
    type_name = schema["type"]
    try:
        value = parsers[type_name](text)
        Draft202012Validator(schema).validate(value)
    except (ValueError, KeyError, ValidationError):
        limits = [f"{word} {schema[word]}" for word in ("minimum", "maximum") if word in schema]
        expected = ", ".join([with_article(type_name), *limits])
        if "enum" in schema:
            expected = " or ".join(schema["enum"])
        raise Problem(
            "unusable-query",
            f"query, {name}: expected {expected}, found {text!r}",
            f"Correct {name}, or leave it out",
        ) from None
    return value


def _parse_integer(text: str) -> int:
    if re.fullmatch(r"-?[0-9]{1,18}", text) is None:
        raise ValueError
    return int(text)


def _parse_number(text: str) -> float:
    if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", text) is None:
        raise ValueError
    return float(text)
