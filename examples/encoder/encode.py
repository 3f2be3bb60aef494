"""The body of a registration: base64 of UTF-8 JSON."""

import base64
import json


def encode(params: object) -> bytes:
    """The body that carries `params`, to be sent as text/plain.

    NaN and the infinities raise ValueError, since JSON has none and the route refuses them.
    """
    text = json.dumps(params, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(text.encode("utf-8"))
