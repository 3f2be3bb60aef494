"""Explains JSON Schema errors to people: where, what was expected, what was found, what to do.

jsonschema takes a fifth of a second to import, so that only functions that validate import it.
"""

import difflib
import json
import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from types import NoneType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema import ValidationError

# Characters of a value that a message shows, and names that a hint lists: enough for all statuses
# and paths, but not for thousands of users.
MAX_VALUE = 80
MAX_LISTED = 24

# Names of types, for values that must not be shown.
TYPE_NAMES: dict[type, str] = {
    NoneType: "null",
    bool: "a boolean",
    date: "a date",
    datetime: "a time",
    dict: "an object",
    float: "a number with a fraction",
    int: "an integer",
    list: "an array",
    str: "a string",
}
# Types that YAML infers for text without quotes.
YAML_SCALARS = (bool, int, float, date)

LIMITS = {
    "exclusiveMinimum": "more than",
    "minimum": "at least",
    "maximum": "at most",
    "minLength": "at least",
    "maxLength": "at most",
    "minItems": "at least",
    "maxItems": "at most",
}


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """An error in a value, for people.

    `path` leads to it, as in `users[0].id`, and is empty at the top level; `hint` is the next step,
    or empty.
    """

    path: str
    expected: str
    found: str
    hint: str = ""

    def __str__(self) -> str:
        """Returns the problem as one line, for files that people write."""
        hint = f". {self.hint}" if self.hint else ""
        place = self.path or "the top level"
        return f"{place}: expected {self.expected}, found {self.found}{hint}"


def explain(error: "ValidationError", *, show_values: bool = True) -> SchemaProblem:
    """Explains `error`.

    Without `show_values`, for YAML files with secrets, strings are described and never quoted.
    """
    rule: Any = error.validator_value
    value: Any = error.instance
    schema: Any = error.schema
    found = _show(value) if show_values else describe_type(value)
    hint = str(schema.get("description", ""))
    match error.validator:
        case "type":
            expected = " or ".join(map(with_article, [rule] if isinstance(rule, str) else rule))
            if not show_values and rule == "string" and isinstance(value, YAML_SCALARS):
                hint = "write it in quotes"
        case "anyOf":
            expected = " or ".join(with_article(each.get("type", "object")) for each in rule)
        case "required":
            missing = [name for name in rule if name not in value]
            expected, hint = f"the member {', '.join(missing)}", f"Name {', '.join(rule)}"
            found = found if show_values else "none"
        case "additionalProperties":
            known = list(schema["properties"])
            name = next(str(name) for name in value if name not in known)
            expected, hint = f"one of the members {', '.join(known)}", did_you_mean(name, known)
            # Without its colon, "password secret" would be a name.
            is_name = show_values or re.fullmatch(r"\w{1,40}", name)
            found = repr(name) if is_name else "another"
        case "enum" | "const":
            choices = rule if error.validator == "enum" else [rule]
            words = [str(word) for word in choices if word is not None]
            expected = f"one of {', '.join(words)}" if words[1:] else words[0]
            hint = did_you_mean(str(value), words)
            found = found if show_values else "something else"
        case "minimum" | "maximum" | "exclusiveMinimum":
            expected, found = f"{LIMITS[str(error.validator)]} {rule}", str(value)
        case "minLength" | "maxLength" | "minItems" | "maxItems":
            unit = "item" if str(error.validator).endswith("Items") else "character"
            unit += "" if rule == 1 else "s"
            expected, found = f"{LIMITS[str(error.validator)]} {rule} {unit}", str(len(value))
        case "minProperties":
            expected = f"at least one of {', '.join(schema['properties'])}"
        case "not":
            expected, found = f"only one of {', '.join(rule['required'])}", "both"
        case _:
            is_pattern = error.validator == "pattern"
            rule_text = f"text that matches {rule}" if is_pattern else None
            expected = schema.get("title") or rule_text or f"a value that fits {error.validator}"
            found = found if show_values else "something else"
    return SchemaProblem(format_path(error.absolute_path), expected, found, hint)


def format_path(path: Iterable[str | int]) -> str:
    """Formats the path of a value, as in `users[0].id`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def with_article(type_name: str) -> str:
    """Returns the name of a JSON type with its article."""
    if type_name == "null":
        return type_name
    return f"{'an' if type_name[0] in 'aeio' else 'a'} {type_name}"


def describe_type(value: object) -> str:
    """Names the type of `value`, or the reason why it is not a value of JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan or .inf"
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        return "a string with a lone surrogate"
    return TYPE_NAMES.get(type(value), type(value).__name__)


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Suggests the closest of the `known` words; empty if none is close."""
    # People often remember one part of a compound: "success" for "action-successful".
    parts = {part: name for name in known for part in name.split("-")}
    close = difflib.get_close_matches(word, known, n=1) or [
        parts[part] for part in difflib.get_close_matches(word, parts, n=1)
    ]
    return f"Did you mean {close[0]}?" if close else ""


def suggest(word: str, known: Collection[str]) -> str:
    """Suggests the closest of the `known` words, and lists them."""
    more = f" and {len(known) - MAX_LISTED} more" if len(known) > MAX_LISTED else ""
    listed = f"There are: {', '.join(islice(known, MAX_LISTED))}{more}"
    return f"{did_you_mean(word, known)} {listed}".strip()


def _show(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}..."
