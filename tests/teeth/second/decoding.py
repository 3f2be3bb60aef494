"""From a request to parameters: media type, base64, JSON."""

import base64
import json
import re
from email.message import Message
from typing import Any

from teeth.second.envelope import Refusal

# The white space of the contract, as bytes and as text.
SPACE = "\t\n\v\f\r "
_SPACE_BYTES = SPACE.encode()

# How many arrays and objects may be open at once: the fewest that the contract allows.
MAX_DEPTH = 64

# More digits than any number has that is known here. Longer numbers are read as their beginning,
# since no more is asked of them than to be integers: CPython itself refuses those of 4300 digits.
_DIGITS = 300

_BASE64 = re.compile(
    rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)

# In valid JSON, backslashes occur in strings only. Read from left to right, an escape is
# a pair of surrogates, a lone one (the group), or anything else.
_HEX = "[0-9A-Fa-f]{2}"
_ESCAPE = re.compile(
    rf"\\u[Dd][89ABab]{_HEX}\\u[Dd][C-Fc-f]{_HEX}|(\\u[Dd][89A-Fa-f]{_HEX})|\\.", re.DOTALL
)


def require_plain_text(headers: Message) -> None:
    """Raises Refusal unless the body is declared as text/plain, and as not compressed."""
    declared = str(headers.get("Content-Type", "")).partition(";")[0].strip(SPACE)
    coding = str(headers.get("Content-Encoding", "")).strip(SPACE)
    if declared.lower() != "text/plain" or coding.lower() not in ("", "identity"):
        raise Refusal("content_type_is_accepted")


def decoded(body: bytes) -> dict[str, Any]:
    """The parameters in `body`, at least one. Raises Refusal where there are none to be read."""
    packed = body.translate(None, delete=_SPACE_BYTES)
    if not packed:
        raise Refusal("params_are_passed")
    if not _BASE64.fullmatch(packed):
        raise Refusal("body_is_base64")
    params = _parsed(base64.b64decode(packed))
    if not isinstance(params, dict) or not params:
        raise Refusal("params_are_passed")
    return params


def _parsed(content: bytes) -> Any:
    """The value that `content` is by RFC 8259; of duplicate keys the last counts."""
    try:
        text = content.decode()
        _limit_depth(text)
        value = json.loads(
            text, parse_int=lambda digits: int(digits[:_DIGITS]), parse_constant=_refuse_constant
        )
    except ValueError as error:
        raise Refusal("body_is_json") from error
    if any(escape[1] for escape in _ESCAPE.finditer(text)):
        raise Refusal("body_is_json")
    return value


def _limit_depth(text: str) -> None:
    """Raises ValueError where more is open at once than may be; looks at brackets only."""
    depth = 0
    for sign in _STRING.sub("", text):
        depth += (sign in "[{") - (sign in "]}")
        if depth > MAX_DEPTH:
            raise ValueError(f"expected at most {MAX_DEPTH} arrays and objects within each other")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"expected JSON as in RFC 8259, found {name}")
