"""A seed file: YAML in, sections out, or one sentence about what is wrong where.

The sentence quotes names, numbers and addresses at most: there are passwords and tokens in a seed.
"""

import json
import math
import re
from collections.abc import Iterable
from datetime import date, datetime
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from types import NoneType
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from clients_register import fixtures

EXPECTED = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "names with values",
    "string": "text",
}
FOUND: dict[type, str] = {
    NoneType: "nothing",
    bool: "true or false",
    date: "a date",
    datetime: "a time",
    dict: "names with values",
    float: "a number with a fraction",
    int: "a whole number",
    list: "a list",
    str: "text",
}
# What Python takes for a number or for text, and nobody else does.
NOT_EVEN: dict[str, dict[type, str]] = {
    "number": {float: ".nan or .inf"},
    "string": {str: "half of a surrogate pair"},
}
BOUNDS = {
    "minimum": "at least",
    "minLength": "at least",
    "maximum": "at most",
    "maxLength": "at most",
}


class SeedFault(ValueError):
    """Something in a seed is not as it should be."""

    def __init__(self, place: str, expected: str, found: str, todo: str = "correct it") -> None:
        """`place` is a line, or a path such as users[0].email; `todo` the next step."""
        super().__init__(f"{place}: expected {expected}, found {found}; {todo}")


def read(path: Path) -> dict[str, Any]:
    """The sections of the file at `path`, as fixtures/seed.schema.json draws them.

    Raises OSError where it cannot be read, SeedFault where it is no seed.
    """
    sections: dict[str, Any] = _parsed(path.read_bytes())
    fault = next(iter(_validator().iter_errors(sections)), None)
    if fault is not None:
        raise _explained(fault)
    return sections


def builtin(name: str) -> dict[str, Any]:
    """The sections of the built-in file fixtures/NAME.yaml. One shared copy: treat as read-only."""
    return _builtin((files(fixtures) / f"{name}.yaml").read_bytes())


@lru_cache(maxsize=4)
def _builtin(content: bytes) -> dict[str, Any]:
    sections: dict[str, Any] = _parsed(content)
    return sections


class _Loader(yaml.SafeLoader):
    """The safe loader, with an eye for names that stand twice; YAML's own would drop the first.

    Not libyaml's, which is faster and ends the process where brackets are nested very deeply.
    """


def _distinct(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    names = set()
    for name, _ in node.value:
        if isinstance(name, yaml.ScalarNode) and name.value in names:
            raise SeedFault(_spot(name.start_mark), "each name once", "one a second time")
        names.add(str(name.value))
    members: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return members


_Loader.add_constructor("tag:yaml.org,2002:map", _distinct)


def _parsed(content: bytes) -> Any:
    try:
        return yaml.load(content.decode("utf-8"), Loader=_Loader)  # noqa: S506 - a safe one
    except SeedFault:
        raise
    except UnicodeDecodeError as error:
        raise SeedFault(f"byte {error.start}", "UTF-8", "something else") from None
    except yaml.MarkedYAMLError as error:
        # What stands in quotes may be a piece of a password.
        problem = re.sub(r"(?s) (['\"])(?!<).*\1", "", error.problem or "")
        place = _spot(error.problem_mark or error.context_mark)
        raise SeedFault(place, "YAML", f"something else ({problem})") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        found = "a character, a date, a number or a depth that it refuses"
        raise SeedFault("somewhere in it", "YAML", found) from None


def _spot(mark: yaml.Mark | None) -> str:
    return "somewhere in it" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"


@cache
def _validator() -> Validator:
    schema = json.loads((files(fixtures) / "seed.schema.json").read_text("utf-8"))
    # Stricter than JSON Schema, so that what is taken here can be kept by any store: 1.0 is no
    # integer, .nan no number, half of a surrogate pair no text.
    types = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: type(value) is int,
            "number": lambda _, value: type(value) is int or _is_finite(value),
            "string": lambda _, value: isinstance(value, str) and _is_whole(value),
        }
    )
    validator: Validator = extend(Draft202012Validator, type_checker=types)(schema)  # type: ignore[no-untyped-call]
    return validator


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _is_whole(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _explained(error: ValidationError) -> SeedFault:
    rule: Any = error.validator_value
    value: Any = error.instance
    schema: Any = error.schema
    todo = "correct it"
    match error.validator:
        case "type":
            names = FOUND | NOT_EVEN.get(rule, {})
            expected, found = EXPECTED[rule], names.get(type(value), type(value).__name__)
            if rule == "string" and isinstance(value, bool | int | float | date):
                todo = "write it in quotes"
        case "required":
            expected = f"the name {next(name for name in rule if name not in value)}"
            found = "none"
        case "additionalProperties":
            known = schema["properties"]
            expected, found = f"one of the names {', '.join(known)}", _unknown(value, known)
        case "enum":
            expected, found = f"one of {', '.join(rule)}", "something else"
        case "minimum" | "maximum":
            expected, found = f"{BOUNDS[str(error.validator)]} {rule}", str(value)
        case "minLength" | "maxLength":
            bound = BOUNDS[str(error.validator)]
            expected, found = f"a length of {bound} {rule}", str(len(value))
        case _:
            expected, found = schema["title"], "something else"
    return SeedFault(_place(error.absolute_path), expected, found, todo)


def _unknown(value: dict[Any, Any], known: Iterable[str]) -> str:
    name = next(str(name) for name in value if name not in known)
    # A colon left out makes a name of a name and a value.
    return name if re.fullmatch(r"\w{1,40}", name) else "another"


def _place(path: Iterable[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".") or "the top level"
