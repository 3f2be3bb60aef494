"""The contract as data: the only place where a status slug, a limit or a required name is written.

The server and the conformance suite both read it through here and share nothing else, so that two
independent readings of one document meet over HTTP.
"""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

# libyaml is about eight times faster than the pure loader; not every wheel carries it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def text(name: str) -> str:
    """The file `name` ("openapi", "requirements", "questions", "source"), as it was written."""
    return (files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")


@cache
def load(name: str) -> dict[str, Any]:
    """The YAML file `name`, parsed. One shared copy a process: treat it as read-only."""
    document: dict[str, Any] = yaml.load(text(name), Loader=_Loader)  # noqa: S506 - both loaders are safe ones
    return document
