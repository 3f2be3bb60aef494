"""What a caller asks for in `Prefer` (RFC 7240), as users of Prism know it.

`example=SLUG` forces a status, `code=401` the first one of that HTTP code, both together must
agree; `wait=SECONDS` delays. Preferences of other names are not ours and are ignored.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clients_register.handlers.mock import cors
from clients_register.handlers.mock.headers import Headers
from clients_register.handlers.mock.problems import Problem, suggestion
from clients_register.spec.catalogue import Status

MAX_WAIT = 60

# Headers that are remembered; nobody has use for more.
KEPT = 1000

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PREFERENCE = re.compile(
    rf'\s*({_WORD})\s*(?:=\s*(?:({_WORD})|"((?:[^"\\]|\\.)*)"))?\s*(?:;[^,]*)?'
)


@dataclass(frozen=True, slots=True)
class Preference:
    """What was asked for, and the headers of any answer to it."""

    status: Status | None
    wait: float
    headers: Headers


NONE = Preference(None, 0, cors.ON_ANSWERS)


class Preferences:
    """What callers may prefer of these statuses."""

    def __init__(self, statuses: Mapping[str, Status]) -> None:
        """`statuses` are slug -> status."""
        self._statuses = statuses
        # Tests ask for the same things again and again.
        self._known: dict[bytes, Preference] = {}

    def of(self, headers: Iterable[tuple[bytes, bytes]]) -> Preference:
        """The preference that `headers` (names in lower case) express.

        Raises Problem where a slug or a code is unknown, or the two disagree, or a wait is no time.
        """
        values = [value for name, value in headers if name == b"prefer"]
        if not values:
            return NONE
        written = b",".join(values)
        if (known := self._known.get(written)) is not None:
            return known
        asked = _read(written.decode("latin-1"))
        status = _status(asked, self._statuses)
        wait = _wait(asked["wait"]) if "wait" in asked else 0
        made = Preference(status, wait, cors.ON_ANSWERS + _applied(asked))
        if len(self._known) < KEPT:
            self._known[written] = made
        return made


def _read(value: str) -> dict[str, str]:
    """Name -> value; of a name that is repeated the first counts (RFC 7240, section 2)."""
    asked: dict[str, str] = {}
    for found in _PREFERENCE.finditer(value):
        quoted = re.sub(r"\\(.)", r"\1", found[3]) if found[3] is not None else None
        asked.setdefault(found[1].lower(), found[2] or quoted or "")
    return asked


def _applied(asked: Mapping[str, str]) -> Headers:
    ours = [f"{name}={asked[name]}" for name in ("code", "example", "wait") if name in asked]
    return [(b"preference-applied", ", ".join(ours).encode("latin-1"))] if ours else []


def _status(asked: Mapping[str, str], statuses: Mapping[str, Status]) -> Status | None:
    code = asked.get("code")
    of_code = [status for status in statuses.values() if str(status.code) == code]
    if code is not None and not of_code:
        codes = sorted({str(status.code) for status in statuses.values()})
        raise Problem("unknown-code", f"Prefer: no status has the code {code!r}", _codes(codes))
    if "example" not in asked:
        return of_code[0] if of_code else None
    slug = asked["example"]
    if slug not in statuses:
        detail = f"Prefer: no status is called {slug!r}"
        raise Problem("unknown-status", detail, suggestion(slug, statuses))
    status = statuses[slug]
    if code is not None and status not in of_code:
        raise Problem(
            "contradicting-preferences",
            f"Prefer: example={slug} has the code {status.code}, and code={code} was asked for",
            "Leave one of the two out",
        )
    return status


def _codes(codes: list[str]) -> str:
    return f"There are: {', '.join(codes)}"


def _wait(text: str) -> float:
    if re.fullmatch(r"\d{1,3}(\.\d{1,3})?", text) is None or float(text) > MAX_WAIT:
        raise Problem(
            "unusable-wait",
            f"Prefer: expected wait=SECONDS from 0 to {MAX_WAIT}, found wait={text}",
            "Such as Prefer: wait=2.5",
        )
    return float(text)
