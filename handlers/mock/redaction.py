"""What the journal shows of params and answers: everything but what was secret."""

import math
from typing import Any

HIDDEN = "[hidden]"

# JSON has numbers that no machine has, and Python has some that JSON has not.
INFINITE = "[a number beyond any machine's]"
SECRETS = frozenset({"password", "token"})


def redacted(value: Any) -> Any:
    """`value` as JSON, with a mark in place of every member whose name says that it is a secret.

    Null and blank stay as they are: whether a password was passed is no secret.
    """
    if isinstance(value, dict):
        return {key: _member(key, member) for key, member in value.items()}
    if isinstance(value, list):
        return [redacted(member) for member in value]
    if isinstance(value, float) and not math.isfinite(value):
        return INFINITE
    return value


def _member(key: str, member: Any) -> Any:
    if key.lower() in SECRETS and member is not None and member != "":
        return HIDDEN
    return redacted(member)
