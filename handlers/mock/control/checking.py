"""Bodies and queries of the control plane, held against its document.

The complaint names the place, what was expected and found, and the closest word there is.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from clients_register.handlers.mock.control.complaints import article, complaint
from clients_register.handlers.mock.problems import Problem, suggestion

Schema = Mapping[str, Any]

BOOLEANS = {"true": True, "1": True, "": True, "false": False, "0": False}


class Body:
    """The JSON body of one operation."""

    def __init__(self, schema: Schema, components: Mapping[str, Any]) -> None:
        """`schema` is JSON Schema 2020-12, its references lead into `components`."""
        self._validator = Draft202012Validator({**schema, "components": components})

    def read(self, raw: bytes) -> Any:
        """The value in `raw`. Raises Problem where it is not one of the schema."""
        try:
            value = json.loads(raw or b"{}", parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise Problem(
                "unreadable-body",
                f"the body: expected JSON in UTF-8, found something else: {error}",
                "Send a JSON body",
            ) from None
        fault = best_match(self._validator.iter_errors(value))
        if fault is not None:
            raise complaint(fault)
        return value


class Query:
    """The query of one operation."""

    def __init__(self, parameters: Sequence[Mapping[str, Any]]) -> None:
        """`parameters` are the document's, all of them `in: query`."""
        self._schemas = {each["name"]: each["schema"] for each in parameters}

    def read(self, raw: bytes) -> dict[str, Any]:
        """The values in `raw`, with defaults for those left out. Raises Problem."""
        values = {
            name: schema["default"] for name, schema in self._schemas.items() if "default" in schema
        }
        for name, text in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
            if name not in self._schemas:
                hint = suggestion(name, self._schemas) if self._schemas else "Leave the query out"
                raise Problem("unknown-query", f"query: no parameter is called {name!r}", hint)
            values[name] = _typed(name, text, self._schemas[name])
        return values


class Path:
    """The parts of the path of one operation."""

    def __init__(self, parameters: Sequence[Mapping[str, Any]]) -> None:
        """`parameters` are the document's, all of them `in: path`."""
        self._validators = {
            each["name"]: Draft202012Validator(each["schema"]) for each in parameters
        }

    def read(self, values: Mapping[str, str]) -> Mapping[str, str]:
        """`values`, if each is one of its schema. Raises Problem."""
        for name, validator in self._validators.items():
            fault = best_match(validator.iter_errors(values[name]))
            if fault is not None:
                raise complaint(fault, f"path, {name}")
        return values


def _no_number(constant: str) -> Any:
    # Python reads them, though JSON has none of them.
    raise ValueError(f"{constant} is no JSON number")


def _whole(text: str) -> int:
    if re.fullmatch(r"-?[0-9]{1,18}", text) is None:
        raise ValueError
    return int(text)


def _decimal(text: str) -> float:
    if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", text) is None:
        raise ValueError
    return float(text)


def _typed(name: str, text: str, schema: Schema) -> Any:
    readers: dict[str, Callable[[str], Any]] = {
        "boolean": lambda text: BOOLEANS[text.lower()],
        "integer": _whole,
        "number": _decimal,
        "string": str,
    }
    kind = schema["type"]
    try:
        value = readers[kind](text)
        Draft202012Validator(schema).validate(value)
    except (ValueError, KeyError, ValidationError):
        bounds = [f"{word} {schema[word]}" for word in ("minimum", "maximum") if word in schema]
        expected = ", ".join([article(kind), *bounds])
        raise Problem(
            "unusable-query",
            f"query, {name}: expected {expected}, found {text!r}",
            f"Correct {name}, or leave it out",
        ) from None
    return value
