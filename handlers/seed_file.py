"""Seed files: parsed, validated, and merged with the built-in sections.

Messages never quote strings other than names and e-mail addresses, because a seed contains
passwords and tokens.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jsonschema.protocols import Validator

from clients_register import fixtures
from clients_register.handlers.decoding import email_key
from clients_register.handlers.passwords import MAX_BYTES, password_problem
from clients_register.spec.schema_errors import explain
from clients_register.spec.yaml_core import CoreLoader, strict_validator

Sections = Mapping[str, Sequence[Mapping[str, Any]]]

# A section and the names below it: ("users", "client", "id") is the id of every client.
FieldPath = tuple[str, ...]

# All values at the paths of one group must differ.
UNIQUE: tuple[tuple[FieldPath, ...], ...] = (
    (("services", "service"),),
    (("applications", "slug"),),
    (("companies", "id"),),
    (("users", "persona"),),
    (("users", "id"), ("users", "client", "id")),
    (("sessions", "token"), ("application_tokens", "token")),
)

# Each value at the first path must occur at the second. References to users come last, so that
# removing a user also removes what refers to them.
REFERENCES: tuple[tuple[FieldPath, FieldPath], ...] = (
    (("users", "client", "company_id"), ("companies", "id")),
    (("sessions", "user"), ("users", "id")),
    (("sessions", "application"), ("applications", "slug")),
    (("application_tokens", "application"), ("applications", "slug")),
)


class SeedProblem(ValueError):
    """Something is wrong in a seed."""

    def __init__(self, place: str, expected: str, found: str, hint: str = "correct it") -> None:
        """`place` is a line, or a path such as users[0].email; `hint` is the next step."""
        super().__init__(f"{place}: expected {expected}, found {found}; {hint}")


def read_seed_file(path: Path) -> dict[str, Any]:
    """Returns the sections of a file, valid by fixtures/seed.schema.json.

    Raises OSError if the file cannot be read, SeedProblem if it is invalid.
    """
    sections: dict[str, Any] = _parse(path.read_bytes())
    error = next(iter(_validator().iter_errors(sections)), None)
    if error is not None:
        problem = explain(error, show_values=False)
        hint = problem.hint or "correct it"
        hint = hint[:1].lower() + hint[1:]
        raise SeedProblem(problem.path or "the top level", problem.expected, problem.found, hint)
    return sections


def read_builtin(name: str) -> dict[str, Any]:
    """Returns the sections of fixtures/NAME.yaml, as a shared copy that must not be changed."""
    return _parse_builtin((files(fixtures) / f"{name}.yaml").read_bytes())


def merge(builtin: Sections, own: Sections) -> dict[str, Sequence[Mapping[str, Any]]]:
    """Replaces sections of `builtin` by those of `own`.

    Replacing the users drops the built-in sessions, and built-in entries that refer to something
    replaced are dropped, too. Raises SeedProblem if `own` refers to something that does not exist.
    """
    sections = dict(builtin) | dict(own)
    if "users" in own and "sessions" not in own:
        sections["sessions"] = []
    for (section, *names), target in REFERENCES:
        if section not in own:
            known = {None, *(value for _, value in _values_at(sections, target))}
            sections[section] = [
                entry for entry in sections[section] if _value_at(entry, names) in known
            ]
    check_consistency(sections)
    return sections


def check_consistency(sections: Sections) -> None:
    """Checks what a schema cannot: uniqueness, references, addresses and passwords.

    Raises SeedProblem.
    """
    for group in UNIQUE:
        _check_unique(value for path in group for value in _values_at(sections, path))
    for path, target in REFERENCES:
        known = {value for _, value in _values_at(sections, target)}
        for place, value in _values_at(sections, path):
            if value not in known:
                raise SeedProblem(place, f"the {target[-1]} of one of the {target[0]}", repr(value))
    _check_unique(_email_keys(sections))
    for place, password in _values_at(sections, ("users", "password")):
        if problem := password_problem(password):
            expected = f"a password of 1 to {MAX_BYTES} bytes of UTF-8 without NUL"
            raise SeedProblem(place, expected, f"one that is {problem.replace('_', ' ')}")


def _check_unique(values: Iterator[tuple[str, Any]]) -> None:
    first: dict[Any, str] = {}
    for place, value in values:
        if value in first:
            raise SeedProblem(place, "a unique value", f"the same at {first[value]}")
        first[value] = place


def _email_keys(sections: Sections) -> Iterator[tuple[str, str]]:
    for place, email in _values_at(sections, ("users", "email")):
        key = email_key(email)
        if key is None:
            raise SeedProblem(place, "an e-mail address", repr(email))
        yield place, key


def _values_at(sections: Sections, path: FieldPath) -> Iterator[tuple[str, Any]]:
    """Yields the place of each value at `path`, for messages, and the value."""
    section, *names = path
    for number, entry in enumerate(sections[section]):
        value = _value_at(entry, names)
        if value is not None:
            yield f"{section}[{number}].{'.'.join(names)}", value


def _value_at(entry: Any, names: Sequence[str]) -> Any:
    for name in names:
        entry = None if entry is None else entry.get(name)
    return entry


class _Loader(CoreLoader):
    """The core schema's loader, except that it rejects duplicate keys."""


def _construct_mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    names = set()
    for name, _ in node.value:
        if isinstance(name, yaml.ScalarNode) and name.value in names:
            raise SeedProblem(_position(name.start_mark), "each name once", "one a second time")
        names.add(str(name.value))
    members: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return members


_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


def _parse(content: bytes) -> Any:
    try:
        return yaml.load(content.decode("utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except SeedProblem:
        raise
    except UnicodeDecodeError as error:
        raise SeedProblem(f"byte {error.start}", "UTF-8", "something else") from None
    except yaml.MarkedYAMLError as error:
        # A quoted part may be a piece of a password.
        problem = re.sub(r"(?s) (['\"])(?!<).*\1", "", error.problem or "")
        place = _position(error.problem_mark or error.context_mark)
        raise SeedProblem(place, "YAML", f"something else ({problem})") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        found = "a character, a date, a number or a nesting depth that is not supported"
        raise SeedProblem("somewhere in it", "YAML", found) from None


@lru_cache(maxsize=4)
def _parse_builtin(content: bytes) -> dict[str, Any]:
    sections: dict[str, Any] = _parse(content)
    return sections


def _position(mark: yaml.Mark | None) -> str:
    return "somewhere in it" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"


@cache
def _validator() -> Validator:
    schema = json.loads((files(fixtures) / "seed.schema.json").read_text("utf-8"))
    return strict_validator(schema)
