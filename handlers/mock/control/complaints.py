"""What a value that its schema refuses is told: where, expected, found, and the closest word."""

import json
from collections.abc import Callable
from typing import Any

from jsonschema import ValidationError

from clients_register.handlers.mock.problems import Problem, suggestion

# Characters of a value that a complaint shows.
LONGEST = 80


def complaint(error: ValidationError, place: str = "the body") -> Problem:
    """The complaint about what `error` found somewhere in `place`."""
    steps = "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path
    ).removeprefix(".")
    wrong = WRONG.get(str(error.validator), _in_general)(error)
    return Problem("unusable-body", f"{steps or place}: {wrong}", _hint(error))


def article(kind: str) -> str:
    """`kind` with the article that it takes."""
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}"


def _found(error: ValidationError) -> str:
    return f"found {_cut(json.dumps(error.instance, ensure_ascii=True))}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _kind(error: ValidationError) -> str:
    kinds: Any = error.validator_value
    if isinstance(kinds, str):
        kinds = [kinds]
    return f"expected {' or '.join(map(article, kinds))}, {_found(error)}"


def _alternatives(error: ValidationError) -> str:
    schemas: Any = error.validator_value
    kinds = [each.get("type", "object") for each in schemas]
    return f"expected {' or '.join(map(article, kinds))}, {_found(error)}"


def _choice(error: ValidationError) -> str:
    words: Any = error.validator_value
    return f"expected one of {', '.join(map(json.dumps, words))}, {_found(error)}"


def _bound(error: ValidationError) -> str:
    word = {"minimum": "at least", "maximum": "at most"}[str(error.validator)]
    return f"expected {word} {error.validator_value}, {_found(error)}"


def _length(error: ValidationError) -> str:
    word = {"min": "at least", "max": "at most"}[str(error.validator)[:3]]
    unit = "items" if str(error.validator).endswith("Items") else "characters"
    return f"expected {word} {error.validator_value} {unit}, {_found(error)}"


def _form(error: ValidationError) -> str:
    return f"expected another form, {_found(error)}"


def _stranger(error: ValidationError) -> str:
    return f"no member is called {_strange(error)!r}"


def _lack(error: ValidationError) -> str:
    names: Any = error.validator_value
    value: Any = error.instance
    missing = [name for name in names if name not in value]
    return f"expected the member {', '.join(missing)}, {_found(error)}"


def _emptiness(error: ValidationError) -> str:
    schema: Any = error.schema
    return f"expected at least one of {', '.join(schema['properties'])}, {_found(error)}"


def _both(error: ValidationError) -> str:
    rule: Any = error.validator_value
    return f"expected only one of {', '.join(rule['required'])}, found both"


def _in_general(error: ValidationError) -> str:
    return _cut(error.message)


# Word of JSON Schema -> what is wrong where it does not hold.
WRONG: dict[str, Callable[[ValidationError], str]] = {
    "additionalProperties": _stranger,
    "anyOf": _alternatives,
    "enum": _choice,
    "maxItems": _length,
    "maxLength": _length,
    "maximum": _bound,
    "minLength": _length,
    "minProperties": _emptiness,
    "minimum": _bound,
    "not": _both,
    "pattern": _form,
    "required": _lack,
    "type": _kind,
}


def _strange(error: ValidationError) -> str:
    schema: Any = error.schema
    value: Any = error.instance
    return next(str(name) for name in value if name not in schema["properties"])


def _hint(error: ValidationError) -> str:
    rule: Any = error.validator_value
    schema: Any = error.schema
    match error.validator:
        case "enum":
            return suggestion(str(error.instance), [str(word) for word in rule if word is not None])
        case "additionalProperties":
            return suggestion(_strange(error), list(schema["properties"]))
        case "required":
            return f"Name {', '.join(rule)}"
        case _:
            return str(schema.get("description") or "GET /_mock/docs/ describes what is expected")
