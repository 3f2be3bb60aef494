"""The decoded parameters, after the dropping of what counts as not passed (Q-NULLS)."""

from collections.abc import Iterable, Mapping
from typing import Any

# The contract's white space: no Unicode space, and not str.isspace()'s idea of it.
ASCII_WHITE_SPACE = "\t\n\v\f\r "


def _absence(value: object) -> str | None:
    """Why a member counts as not passed, in the words of `errors`; None where it is passed."""
    if value is None:
        return "missing"
    if isinstance(value, str) and not value.strip(ASCII_WHITE_SPACE):
        return "empty"
    return None


class Params:
    """Parameters by dotted path: `params["client.email"]` is the value, or None if not passed."""

    def __init__(self, sent: Mapping[str, Any]) -> None:
        self._passed: dict[str, Any] = {}
        self._blank: set[str] = set()
        self._take(sent, prefix="")
        client = self._passed.get("client")
        if isinstance(client, dict):
            self._take(client, prefix="client.")

    def _take(self, members: Mapping[str, Any], prefix: str) -> None:
        for name, value in members.items():
            # A dotted name of the sender's own is no path of ours, hence an unknown parameter.
            if "." in name:
                continue
            match _absence(value):
                case None:
                    self._passed[prefix + name] = value
                case "empty":
                    self._blank.add(prefix + name)

    def __getitem__(self, path: str) -> Any:
        return self._passed.get(path)

    def __contains__(self, path: str) -> bool:
        return path in self._passed

    def passed(self) -> Iterable[tuple[str, Any]]:
        """Path and value of all that was passed, of parameters that the spec does not know, too."""
        return self._passed.items()

    def absence(self, path: str) -> str | None:
        """Why `path` is not passed: `missing` (absent or null), `empty` (blank); None if it is."""
        if path in self._passed:
            return None
        return "empty" if path in self._blank else "missing"
