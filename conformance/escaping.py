"""Escapes text that the suite did not write, before it reaches a terminal, a log or a file.

A server may send whatever JSON can carry: lone surrogates, which UTF-8 cannot encode; control
characters and directional marks, which alter what a terminal or a page shows; and line breaks,
after which a CI system takes the next words for a command. Everything that the suite prints or
writes passes through `escape`.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

# Commands that CI systems recognize: GitHub reads `::error::` at the beginning of a line and
# `##[error]` anywhere, Azure `##vso[...]`, TeamCity `##teamcity[...]`. The last character matched
# is escaped.
_COMMAND = re.compile(r"^ *:(?=:[a-z])|#(?=#[a-z]*\[)", re.MULTILINE | re.IGNORECASE)


def escape(text: str, *, multiline: bool = False) -> str:
    r"""Escapes what is unsafe to show, in the manner of JSON: ESC becomes `\u001b`.

    Text that is safe, such as escaped text, stays as it is. Line feeds are kept if `multiline`, for
    text whose lines were composed by the suite. Escaped JSON is still the same JSON.
    """
    kept = "\n" if multiline else ""
    if not text.isprintable():
        text = "".join(
            each if each.isprintable() or each in kept else json.dumps(each)[1:-1] for each in text
        )
    return _COMMAND.sub(lambda found: f"{found[0][:-1]}\\u{ord(found[0][-1]):04x}", text)


def escape_all(value: Any) -> Any:
    """Escapes every string in a JSON value, including the names of members."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, Mapping):
        return {escape(name): escape_all(each) for name, each in value.items()}
    return [escape_all(each) for each in value] if isinstance(value, list) else value
