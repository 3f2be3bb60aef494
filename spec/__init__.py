"""The contract as data: the only place that defines status slugs, limits and required names.

The server and the conformance suite share no code but this package, so that two independent
interpretations of the contract meet over HTTP.
"""

from importlib.resources import files
from typing import Any

import yaml

# libyaml is about eight times faster; not every wheel includes it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# The text and the parsed document of each file, by name.
_loaded: dict[str, tuple[str, dict[str, Any]]] = {}


def text(name: str) -> str:
    """Returns the text of the file `name` ("openapi", "control", "requirements", ...)."""
    return _load(name)[0]


def load(name: str) -> dict[str, Any]:
    """Returns the parsed file `name`, as a shared copy that must not be changed."""
    return _load(name)[1]


def read(name: str) -> str:
    """Reads the text of the file `name` from disk."""
    return (files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")


def parse(text: str) -> dict[str, Any]:
    """Parses YAML. Raises yaml.YAMLError."""
    document: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - both loaders are safe
    return document


def replace(name: str, text: str, document: dict[str, Any]) -> None:
    """Replaces the loaded file `name` by `document`, parsed from `text`."""
    _loaded[name] = (text, document)


def _load(name: str) -> tuple[str, dict[str, Any]]:
    if name not in _loaded:
        text = read(name)
        replace(name, text, parse(text))
    return _loaded[name]
