"""What no schema can say of a seed: each name is used once, and what refers to something finds it.

A path is a section and the names below it: ("users", "client", "id") is every client's id.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clients_register.handlers.emails import key_of
from clients_register.handlers.passwords import MAX_BYTES, fault_of
from clients_register.handlers.seedfile import SeedFault

Sections = Mapping[str, Sequence[Mapping[str, Any]]]
Path = tuple[str, ...]

# The values at these paths, taken together, are all different.
DISTINCT: tuple[tuple[Path, ...], ...] = (
    (("services", "service"),),
    (("applications", "slug"),),
    (("companies", "id"),),
    (("users", "persona"),),
    (("users", "id"), ("users", "client", "id")),
    (("sessions", "token"), ("application_tokens", "token")),
)

# A value at the first path is one of those at the second. Users come before what refers to them.
REFERENCES: tuple[tuple[Path, Path], ...] = (
    (("users", "client", "company_id"), ("companies", "id")),
    (("sessions", "user"), ("users", "id")),
    (("sessions", "application"), ("applications", "slug")),
    (("application_tokens", "application"), ("applications", "slug")),
)


def merged(builtin: Sections, own: Sections) -> dict[str, Sequence[Mapping[str, Any]]]:
    """`builtin`, with the sections of `own` in the place of those of the same names.

    Built-in sessions leave with the built-in users, and so does every built-in entry that refers to
    what is not there any more. Raises SeedFault where something in `own` does.
    """
    sections = dict(builtin) | dict(own)
    if "users" in own and "sessions" not in own:
        sections["sessions"] = []
    for (section, *names), target in REFERENCES:
        if section not in own:
            known = {None, *(value for _, value in _values(sections, target))}
            kept = [entry for entry in sections[section] if _at(entry, names) in known]
            sections[section] = kept
    check(sections)
    return sections


def check(sections: Sections) -> None:
    """Raises SeedFault where two entries share what is one's own, or one refers to nothing."""
    for paths in DISTINCT:
        _check_distinct(value for path in paths for value in _values(sections, path))
    for path, target in REFERENCES:
        known = {value for _, value in _values(sections, target)}
        for place, value in _values(sections, path):
            if value not in known:
                raise SeedFault(place, f"the {target[-1]} of one of the {target[0]}", repr(value))
    _check_distinct(_email_keys(sections))
    for place, password in _values(sections, ("users", "password")):
        if fault := fault_of(password):
            expected = f"a password of 1 to {MAX_BYTES} bytes of UTF-8 without NUL"
            raise SeedFault(place, expected, f"one that is {fault.replace('_', ' ')}")


def _check_distinct(values: Iterator[tuple[str, Any]]) -> None:
    first: dict[Any, str] = {}
    for place, value in values:
        if value in first:
            raise SeedFault(place, "a value of its own", f"the same at {first[value]}")
        first[value] = place


def _email_keys(sections: Sections) -> Iterator[tuple[str, str]]:
    for place, email in _values(sections, ("users", "email")):
        key = key_of(email)
        if key is None:
            raise SeedFault(place, "an e-mail address", repr(email))
        yield place, key


def _values(sections: Sections, path: Path) -> Iterator[tuple[str, Any]]:
    """Each value at `path`, and its place, for messages."""
    section, *names = path
    for number, entry in enumerate(sections[section]):
        value = _at(entry, names)
        if value is not None:
            yield f"{section}[{number}].{'.'.join(names)}", value


def _at(entry: Any, names: Sequence[str]) -> Any:
    for name in names:
        entry = None if entry is None else entry.get(name)
    return entry
