"""A schema error, explained: where, what was expected, what was found, and what to do."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from clients_register.spec.schema_errors import SchemaProblem, explain

SECRET = "hunter2-of-a-test"


def problem(schema: dict[str, Any], value: Any, *, show_values: bool = True) -> SchemaProblem:
    error = best_match(Draft202012Validator(schema).iter_errors(value))
    assert error is not None
    return explain(error, show_values=show_values)


MEMBERS = {"properties": {"id": True, "email": True}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        ({"type": "integer"}, "5", 'the top level: expected an integer, found "5"'),
        ({"type": ["string", "null"]}, 5, "the top level: expected a string or null, found 5"),
        (
            {"properties": {"users": {"items": {"type": "object"}}}},
            {"users": [{}, 7]},
            "users[1]: expected an object, found 7",
        ),
        (
            {"required": ["id", "email"]},
            {"id": 1},
            'the top level: expected the member email, found {"id": 1}. Name id, email',
        ),
        (
            MEMBERS,
            {"emial": 1},
            "the top level: expected one of the members id, email, found 'emial'."
            " Did you mean email?",
        ),
        (
            {"enum": ["live", "too-old"]},
            "lives",
            'the top level: expected one of live, too-old, found "lives". Did you mean live?',
        ),
        ({"const": 1}, 2, "the top level: expected 1, found 2"),
        ({"minimum": 1}, 0, "the top level: expected at least 1, found 0"),
        ({"exclusiveMinimum": 0}, 0, "the top level: expected more than 0, found 0"),
        ({"maxLength": 1}, "ab", "the top level: expected at most 1 character, found 2"),
        ({"minItems": 2}, [1], "the top level: expected at least 2 items, found 1"),
        ({"pattern": "^/"}, "x", 'the top level: expected text that matches ^/, found "x"'),
        (
            {"pattern": "^/", "title": "a path", "description": "It begins with a slash"},
            "x",
            'the top level: expected a path, found "x". It begins with a slash',
        ),
        ({"uniqueItems": True}, [1, 1], "the top level: expected a value that fits uniqueItems"),
    ],
)
def test_an_error_is_explained_in_a_line(schema: dict[str, Any], value: Any, text: str) -> None:
    assert str(problem(schema, value)).startswith(text)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer"},
        {"enum": ["live"]},
        {"const": 1},
        {"pattern": "^/"},
        {"not": {"required": ["a"]}, "type": "object"},
    ],
)
def test_a_secret_is_never_quoted(schema: dict[str, Any]) -> None:
    assert SECRET not in str(problem(schema, SECRET, show_values=False))
    # Without its colon, a YAML file has "password hunter2" for a name.
    assert SECRET not in str(problem(MEMBERS, {f"password {SECRET}": None}, show_values=False))
