"""Forced statuses: the example responses, and how callers ask for them.

- `Prefer: example=SLUG` forces a status, `code=401` the first one with that HTTP code (RFC 7240, as
  in Prism); `wait=SECONDS` delays the response. Unknown preferences are ignored.
- An e-mail address such as `SLUG@status.test` or `anything+SLUG@status.test` forces a status for
  tests that can only fill in a form. No other address of that domain can be used.

The third way, the script of a world, is in `state.py`.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import Message

from clients_register.handlers.context import Request
from clients_register.handlers.decoding import email_key, parse_media_type, trim_email
from clients_register.handlers.http.parser import Header
from clients_register.handlers.stub.problems import Problem
from clients_register.spec.schema_errors import suggest
from clients_register.spec.schemas import operation
from clients_register.spec.statuses import SpecError, Status, StatusTable

MAX_WAIT = 60

# Parsed values of `Prefer` that are cached; tests repeat a few of them.
MAX_CACHED_PREFERENCES = 1000
MAX_CACHED_LENGTH = 200

# Characters of a value that a problem quotes.
MAX_QUOTED = 80

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a token of RFC 9110
_QUOTED = r'"(?:[^"\\]|\\.)*"'
# Possessive, so that no header takes more than linear time.
_SPACE = r"[ \t]*+"
_PAIR = rf"{_SPACE}({_TOKEN})(?:{_SPACE}={_SPACE}({_TOKEN}|{_QUOTED})?)?"
_NAME = re.compile(rf"{_SPACE}({_TOKEN})")
_PREFERENCE = re.compile(rf"{_PAIR}{_SPACE}(?:;(?:{_PAIR})?{_SPACE})*")
# The members of a list. A quoted string may contain commas; one that does not end takes the rest.
_MEMBER = re.compile(rf'(?:[^,"]|{_QUOTED}|"(?s:.*))+')

# The preferences that are the stub's.
OWN_PREFERENCES = ("code", "example", "wait")


@dataclass(frozen=True, slots=True)
class Example:
    """The example response of a status, serialized once."""

    status: Status
    envelope: Mapping[str, Any]
    body: bytes
    headers: tuple[Header, ...]

    def messages(self, *headers: Header) -> list[Message]:
        """Returns the response as ASGI messages, with additional `headers`."""
        own = [*self.headers, *headers]
        return [
            {"type": "http.response.start", "status": self.status.code, "headers": own},
            {"type": "http.response.body", "body": self.body},
        ]


def load_examples(document: Mapping[str, Any], statuses: StatusTable) -> dict[str, Example]:
    """Returns the named examples of the document by slug, in order of precedence.

    Raises SpecError if one is missing.
    """
    envelopes: dict[str, Any] = {}
    for response in operation(document)["responses"].values():
        for content in response["content"].values():
            envelopes |= {name: each["value"] for name, each in content["examples"].items()}
    if missing := [slug for slug in statuses.slugs if slug not in envelopes]:
        raise SpecError(f"responses: expected an example named {missing[0]}, found none")
    return {status.slug: _build_example(status, envelopes[status.slug]) for status in statuses}


def _build_example(status: Status, envelope: Mapping[str, Any]) -> Example:
    body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
    headers = (
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    )
    return Example(status, envelope, body, headers)


class MagicAddresses:
    """The e-mail addresses of one domain that force a status.

    They take effect if the body can be decoded, whatever else it contains.
    """

    def __init__(self, domain: str, slugs: Collection[str], accepted_media_type: str) -> None:
        self._domain = domain.lower()
        self._slugs = slugs
        self._accepted = accepted_media_type

    def build(self, slug: str) -> str:
        """Returns an address that forces the status `slug`."""
        return f"{slug}@{self._domain}"

    def find_slug(self, request: Request) -> str | None:
        """Returns the slug that the address in `request` forces, if any.

        Raises Problem if a valid address of the domain names no status.
        """
        if parse_media_type(request.content_type) != self._accepted:
            return None
        email = request.params["client.email"]
        if not isinstance(email, str):
            return None
        local, _, domain = trim_email(email).rpartition("@")
        if domain.lower() != self._domain:
            return None
        slug = local.rpartition("+")[2].lower()
        if slug in self._slugs:
            return slug
        if email_key(trim_email(email)) is None:
            return None
        raise Problem(
            "unknown-status",
            f"client.email: no status is called {slug!r}, as in {slug}@{self._domain}",
            f"{suggest(slug, self._slugs)}; other addresses need another domain",
        )


@dataclass(frozen=True, slots=True)
class Preference:
    """A preference of a caller. `wait` is in seconds; `headers` acknowledge it in the response."""

    status: Status | None
    wait: float
    headers: tuple[Header, ...]


NO_PREFERENCE = Preference(None, 0, ())


class PreferenceParser:
    """Parses the header `Prefer`."""

    def __init__(self, statuses: Mapping[str, Status]) -> None:
        """`statuses` maps the slugs that can be forced to their statuses."""
        self._statuses = statuses
        self._cache: dict[bytes, Preference] = {}

    def parse(self, headers: Iterable[Header]) -> Preference:
        """Parses the `headers` of a request, with names in lower case.

        Raises Problem for an unknown slug or code, for a slug and a code that contradict each
        other, for an invalid wait, and for one of these preferences that RFC 7240 does not allow.
        """
        values = [value for name, value in headers if name == b"prefer"]
        if not values:
            return NO_PREFERENCE
        value = b",".join(values)
        if (cached := self._cache.get(value)) is not None:
            return cached
        pairs = _split(value.decode("latin-1"))
        preference = Preference(
            status=_find_status(pairs, self._statuses),
            wait=_parse_wait(pairs["wait"]) if "wait" in pairs else 0,
            headers=_acknowledgement(pairs),
        )
        if len(self._cache) < MAX_CACHED_PREFERENCES and len(value) <= MAX_CACHED_LENGTH:
            self._cache[value] = preference
        return preference


def _split(value: str) -> dict[str, str]:
    """Splits `Prefer` into names and values; the first of equal names wins (RFC 7240, 2).

    Parameters of preferences are dropped, and so are malformed preferences of others.
    """
    pairs: dict[str, str] = {}
    for member in _MEMBER.findall(value):
        found = _PREFERENCE.fullmatch(member)
        leading = _NAME.match(member)
        name = leading[1].lower() if leading else ""
        if found is not None:
            pairs.setdefault(name, _unquote(found[2] or ""))
        elif name in OWN_PREFERENCES:
            raise Problem(
                "unusable-preference",
                f"Prefer: expected {name}=VALUE, found {_cut(member.strip())}",
                "A value with other characters than a token's has to be quoted (RFC 7240)",
            )
    return pairs


def _cut(text: str) -> str:
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."


def _unquote(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _acknowledgement(pairs: Mapping[str, str]) -> tuple[Header, ...]:
    applied = [f"{name}={pairs[name]}" for name in OWN_PREFERENCES if name in pairs]
    return ((b"preference-applied", ", ".join(applied).encode("latin-1")),) if applied else ()


def _find_status(pairs: Mapping[str, str], statuses: Mapping[str, Status]) -> Status | None:
    code = pairs.get("code")
    with_code = [status for status in statuses.values() if str(status.code) == code]
    if code is not None and not with_code:
        codes = sorted({str(status.code) for status in statuses.values()})
        hint = f"There are: {', '.join(codes)}"
        raise Problem("unknown-code", f"Prefer: no status has the code {_cut(code)!r}", hint)
    if "example" not in pairs:
        return with_code[0] if with_code else None
    slug = _cut(pairs["example"])
    if slug not in statuses:
        detail = f"Prefer: no status is called {slug!r}"
        raise Problem("unknown-status", detail, suggest(slug, statuses))
    status = statuses[slug]
    if code is not None and status not in with_code:
        raise Problem(
            "contradicting-preferences",
            f"Prefer: expected code={status.code} with example={slug}, found code={code}",
            "Leave one of the two out",
        )
    return status


def _parse_wait(text: str) -> float:
    if re.fullmatch(r"\d{1,3}(\.\d{1,3})?", text) is None or float(text) > MAX_WAIT:
        raise Problem(
            "unusable-wait",
            f"Prefer: expected wait=SECONDS from 0 to {MAX_WAIT}, found wait={_cut(text)}",
            "Such as Prefer: wait=2.5",
        )
    return float(text)
