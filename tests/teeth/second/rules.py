"""The rules about parameters, one function per row of the contract."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from teeth.second.decoding import SPACE
from teeth.second.envelope import VIEWS, faulty

from clients_register import spec
from clients_register.spec.schemas import Parameter, parameters

PARAMETERS = parameters(spec.load("openapi"))

# Slug -> name of the applications, and the ids of the companies, that are known here.
APPLICATIONS = {
    "planoauth": "Sign-in to everything",
    "planoorder": "Orders",
    "planox2": "The second X",
}
COMPANIES = frozenset({42, 43, 44})

# The length up to which every common password hash uses the whole password, in bytes.
MAX_PASSWORD = 72

# JSON has one type of number; an integer is what was written like one. A bool is an int in Python,
# so types are compared exactly.
_TYPES = {"string": str, "boolean": bool, "integer": int, "object": dict}

# All that the contract makes every server refuse, and hardly more.
_ADDRESS = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class Given:
    """The parameters that count as passed, by dotted path; `blank` are paths of blank ones."""

    values: Mapping[str, Any]
    blank: frozenset[str]

    def __getitem__(self, path: str) -> Any:
        """The value at `path`; None where nothing was passed."""
        return self.values.get(path)

    @property
    def email(self) -> str | None:
        """The trimmed address, unless none was passed or one that is too long to exist."""
        trimmed = _trimmed(self["client.email"])
        limit = _LIMITS["client.email"]
        return trimmed if isinstance(trimmed, str) and len(trimmed) <= limit else None


_LIMITS = {each.path: each.max_length for each in PARAMETERS if each.max_length is not None}


def given(params: Mapping[str, Any]) -> Given:
    """Returns the `params` that count: no nulls, no blanks, no names that the contract lacks."""
    values: dict[str, Any] = {}
    blank = set()
    for parameter in PARAMETERS:
        holder = values.get(parameter.container) if parameter.container else params
        name = parameter.path.removeprefix(f"{parameter.container}.")
        value = holder.get(name) if isinstance(holder, Mapping) else None
        if isinstance(value, str) and not value.strip(SPACE):
            blank.add(parameter.path)
        elif value is not None:
            values[parameter.path] = value
    return Given(values, frozenset(blank))


def require_params(params: Given) -> None:
    """Raises Refusal unless all is there that has to be at the top level."""
    if faults := dict(_lacking(params, container="")):
        raise faulty("required_params_are_passed", faults)


def require_valid(params: Given) -> None:
    """Raises Refusal where a value is of the wrong type, malformed or unknown."""
    judged = ((each.path, _fault(each, params)) for each in PARAMETERS if each.path != "token")
    if faults := {path: fault for path, fault in judged if fault is not None}:
        raise faulty("types_are_right", faults)


def require_storable(params: Given) -> None:
    """Raises Refusal unless a client record can be made of `params`, whose types are right."""
    faults = dict(_lacking(params, container="client"))
    for path, limit in _LIMITS.items():
        value = _trimmed(params[path]) if path == "client.email" else params[path]
        if path != "client.password" and value is not None and len(value) > limit:
            faults[path] = "too_long"
    password = params["client.password"] or ""
    if "\0" in password:
        faults["client.password"] = "malformed"
    elif len(password.encode()) > MAX_PASSWORD:
        faults["client.password"] = "too_long"
    if faults:
        raise faulty("required_client_fields_are_passed", faults)


def _lacking(params: Given, container: str) -> Iterator[tuple[str, str]]:
    for each in PARAMETERS:
        if each.required and each.container == container and each.path not in params.values:
            yield each.path, "empty" if each.path in params.blank else "missing"


def _fault(parameter: Parameter, params: Given) -> str | None:
    """Returns the error of a single parameter, whatever the others are; None if it is valid."""
    value = params[parameter.path]
    if value is None:
        return None
    if type(value) is not _TYPES[parameter.type]:
        return "wrong_type"
    if parameter.path == "client.email":
        well_formed = params.email is None or _ADDRESS.fullmatch(params.email)
        return None if well_formed else "malformed"
    return None if _known(parameter, value) else "unrecognized"


def _known(parameter: Parameter, value: Any) -> bool:
    if parameter.view_of is not None:
        return value in VIEWS[parameter.view_of]
    if parameter.path == "application":
        return value in APPLICATIONS
    return parameter.path != "client.company_id" or value in COMPANIES


def _trimmed(value: Any) -> Any:
    return value.strip(SPACE) if isinstance(value, str) else value
