"""YAML with the core schema of version 1.2.

PyYAML implements version 1.1, in which `042` is 34, `1:30` is 90, `yes` is true, `1e3` is text, and
`2026-01-15` is a date.
"""

import re
from typing import Any

import yaml

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


for _name, (_pattern, _first) in _RESOLVERS.items():
    CoreLoader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern})$"), _first)
CoreLoader.add_constructor(_TAG + "int", _construct_int)
