"""JSON as the server writes it: answers, files, rows."""

import json
from dataclasses import fields
from datetime import datetime
from typing import Any

import orjson

from clients_register.handlers.clock import written


def encoded(value: Any) -> bytes:
    """`value` as JSON in UTF-8, without white space.

    It is made of text, whole numbers, true, false and null, of lists, of dictionaries whose keys
    are text, and of records: they are objects, their times are text, their sets sorted lists.
    Raises ValueError or TypeError where JSON has no such value.
    """
    try:
        return orjson.dumps(value, _plain, orjson.OPT_PASSTHROUGH_DATETIME)
    except orjson.JSONEncodeError:
        # It knows no integer over 64 bits. JSON does, and a company may have one for its id.
        return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return written(value)
    if isinstance(value, frozenset):
        return sorted(value)
    # Records, which orjson knows. Raises TypeError where it is none.
    return {field.name: getattr(value, field.name) for field in fields(value)}
