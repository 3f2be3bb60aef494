"""The parameters of a request, as the oracle has them: what counts as passed, and of which type."""

from collections.abc import Mapping
from typing import Any

from clients_register import spec
from clients_register.conformance.fuzzing.addresses import SPACE, trimmed
from clients_register.spec.schemas import Parameter, parameters, views

_DOCUMENT = spec.load("openapi")
PARAMETERS: tuple[Parameter, ...] = parameters(_DOCUMENT)

# kind of object -> name of a view -> the keys it shows
VIEWS = views(_DOCUMENT)

_TYPES: Mapping[str, type] = {"string": str, "boolean": bool, "integer": int, "object": dict}


class Params:
    """The parameters that count as passed: neither null nor blank, by dotted path."""

    def __init__(self, sent: Any) -> None:
        self.values: dict[str, Any] = {}
        self.blank: set[str] = set()
        for parameter in PARAMETERS:
            holder = self.values.get(parameter.container) if parameter.container else sent
            name = parameter.path.rpartition(".")[2]
            value = holder.get(name) if isinstance(holder, dict) else None
            if isinstance(value, str) and not value.strip(SPACE):
                self.blank.add(parameter.path)
            elif value is not None:
                self.values[parameter.path] = value

    def __getitem__(self, path: str) -> Any:
        """The value at `path`; None where nothing was passed."""
        return self.values.get(path)

    def text(self, path: str) -> str | None:
        """The value at `path`, if it is a string."""
        value = self[path]
        return value if isinstance(value, str) else None

    @property
    def email(self) -> str | None:
        """The address, as it would be stored."""
        sent = self.text("client.email")
        return None if sent is None else trimmed(sent)


def has_type(parameter: Parameter, value: Any) -> bool:
    """Whether a value has the JSON type of its parameter; to Python a boolean is an integer."""
    return type(value) is _TYPES[parameter.type]
