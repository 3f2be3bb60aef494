"""The parameters of a request, by the spec."""

from collections.abc import Mapping
from typing import Any

from clients_register import spec
from clients_register.conformance.fuzz.model import WHITE_SPACE, trim
from clients_register.spec.schemas import Parameter, parameters, views

# Bytes of a password that bcrypt hashes without loss (Q-PASSWORD).
MAX_PASSWORD = 72

_DOCUMENT = spec.load("openapi")

PARAMETERS: tuple[Parameter, ...] = parameters(_DOCUMENT)

MAX_LENGTHS = {each.path: each.max_length for each in PARAMETERS if each.max_length is not None}

# kind of object -> name of a view -> the members it shows
VIEWS = views(_DOCUMENT)

_TYPES: Mapping[str, type] = {"string": str, "boolean": bool, "integer": int, "object": dict}


class PassedParams:
    """The parameters that count as passed (neither null nor blank), by dotted path."""

    def __init__(self, sent: Any) -> None:
        self.values: dict[str, Any] = {}
        self.blank: set[str] = set()
        for parameter in PARAMETERS:
            container = self.values.get(parameter.container) if parameter.container else sent
            name = parameter.path.rpartition(".")[2]
            value = container.get(name) if isinstance(container, dict) else None
            if isinstance(value, str) and not value.strip(WHITE_SPACE):
                self.blank.add(parameter.path)
            elif value is not None:
                self.values[parameter.path] = value

    def __getitem__(self, path: str) -> Any:
        """Returns the value at `path`; None if none was passed."""
        return self.values.get(path)

    def text(self, path: str) -> str | None:
        """Returns the value at `path` if it is a string."""
        value = self[path]
        return value if isinstance(value, str) else None

    @property
    def email(self) -> str | None:
        """The address as it would be stored."""
        sent = self.text("client.email")
        return None if sent is None else trim(sent)


def has_type(parameter: Parameter, value: Any) -> bool:
    """Tells whether a value has the JSON type of its parameter; a boolean is no integer."""
    return type(value) is _TYPES[parameter.type]
