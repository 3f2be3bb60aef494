"""The contract as data: the only place where a status slug, a limit or a required name is written.

The server and the conformance suite both read it through here and share nothing else, so that two
independent readings of one document meet over HTTP.
"""

from importlib.resources import files
from typing import Any

import yaml

# libyaml is about eight times faster than the pure loader; not every wheel carries it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Name -> the text and the document that this process goes by.
_adopted: dict[str, tuple[str, dict[str, Any]]] = {}


def text(name: str) -> str:
    """The file `name` ("openapi", "control", "requirements", ...), as it was written."""
    return _known(name)[0]


def load(name: str) -> dict[str, Any]:
    """The YAML file `name`, parsed. One shared copy a process: treat it as read-only."""
    return _known(name)[1]


def read(name: str) -> str:
    """The file `name` as it stands on disk at the moment."""
    return (files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")


def parsed(text: str) -> dict[str, Any]:
    """The document that `text` is. Raises yaml.YAMLError."""
    document: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - both loaders are safe ones
    return document


def adopt(name: str, text: str, document: dict[str, Any]) -> None:
    """From now on the process goes by this `document`, which `text` holds."""
    _adopted[name] = (text, document)


def _known(name: str) -> tuple[str, dict[str, Any]]:
    if name not in _adopted:
        text = read(name)
        adopt(name, text, parsed(text))
    return _adopted[name]
