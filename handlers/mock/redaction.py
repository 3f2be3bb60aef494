"""What the journal shows of params and answers: everything but what was secret."""

from typing import Any

HIDDEN = "[hidden]"
SECRETS = frozenset({"password", "token"})


def redacted(value: Any) -> Any:
    """`value`, with a mark in the place of every member whose name says that it is a secret.

    Null and blank stay as they are: whether a password was passed is no secret.
    """
    if isinstance(value, dict):
        return {key: _member(key, member) for key, member in value.items()}
    if isinstance(value, list):
        return [redacted(member) for member in value]
    return value


def _member(key: str, member: Any) -> Any:
    if key.lower() in SECRETS and member is not None and member != "":
        return HIDDEN
    return redacted(member)
