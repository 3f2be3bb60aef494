"""YAML with the core schema of version 1.2, in files that people write.

PyYAML implements version 1.1, in which `042` is 34, `1:30` is 90, `yes` is true, `1e3` is text, and
`2026-01-15` is a date.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from clients_register.spec.schema_errors import describe_type

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_TAG = "tag:yaml.org,2002:"

# YAML 1.2.2, 10.3.2: for each tag, how its plain values are written, and their first characters.
_RESOLVERS = {
    "null": (r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN",
        [*"-+.0123456789"],
    ),
    "merge": (r"<<", ["<"]),
}


class CoreLoader(yaml.SafeLoader):
    """Loads untrusted YAML; `<<` merges mappings, as in YAML 1.1.

    libyaml's loader would be faster, but crashes the process on deeply nested brackets.
    """

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - declared so by PyYAML


def _construct_int(loader: CoreLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if text.startswith(("0o", "0x")):
        return int(text[2:], 8 if text[1] == "o" else 16)
    return int(text)


def _construct_scalar(loader: CoreLoader, node: yaml.ScalarNode) -> Any:
    """Constructs a value whose tag was written out, as in `!!bool yes`."""
    name = node.tag.removeprefix(_TAG)
    if re.fullmatch(_RESOLVERS[name][0], str(node.value)) is None:
        problem = f"expected a value of the tag {name}, found another"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return _CONSTRUCTORS[name](loader, node)


_CONSTRUCTORS: dict[str, Callable[[Any, yaml.ScalarNode], Any]] = {
    "null": CoreLoader.construct_yaml_null,
    "bool": CoreLoader.construct_yaml_bool,
    "int": _construct_int,
    "float": CoreLoader.construct_yaml_float,
}

# The core schema has no dates, binary data or sets.
CoreLoader.yaml_constructors = {
    tag: construct
    for tag, construct in yaml.SafeLoader.yaml_constructors.items()
    if tag in {None, *(_TAG + name for name in ("map", "seq", "str"))}
}
for _name, (_pattern, _first) in _RESOLVERS.items():
    CoreLoader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern})$"), _first)
for _name in _CONSTRUCTORS:
    CoreLoader.add_constructor(_TAG + _name, _construct_scalar)


def strict_validator(schema: Mapping[str, Any]) -> "Validator":
    """Returns a validator of loaded YAML for a JSON Schema.

    Stricter than JSON Schema: 1.0 is not an integer, .nan is not a number, and a lone surrogate is
    not text, because they could not be stored or sent.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    types = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: type(value) is int,
            "number": lambda _, value: type(value) is int or _is_finite(value),
            "string": lambda _, value: describe_type(value) == "a string",
        }
    )
    validator: Validator = extend(Draft202012Validator, type_checker=types)(schema)  # type: ignore[no-untyped-call]
    return validator


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)
