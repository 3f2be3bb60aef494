"""Encodes the body of a registration: base64 of UTF-8 JSON."""

import base64
import json


def encode(params: object) -> bytes:
    """Returns the body that contains `params`, to send as text/plain.

    Raises ValueError for NaN and infinities, which are not valid JSON; the route refuses them.
    """
    text = json.dumps(params, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(text.encode("utf-8"))
