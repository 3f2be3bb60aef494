"""ISO 8601 durations, from weeks to seconds: those whose length does not depend on a calendar."""

import re

_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_SECONDS = (604_800, 86_400, 3_600, 60, 1)


def seconds(text: str) -> int:
    """The length of a duration such as P7D or PT72H1S, in seconds. Raises ValueError."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(f"expected an ISO 8601 duration such as P7D or PT72H1S, found {text!r}")
    return sum(int(part or 0) * unit for part, unit in zip(found.groups(), _SECONDS, strict=True))
