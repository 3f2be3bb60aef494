"""Masks secrets in what reports, case files and messages show of requests and responses."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from clients_register.conformance.exchange import HIDDEN, Exchange
from clients_register.conformance.http_client import HttpRequest
from clients_register.conformance.request import MIN_SECRET_LENGTH, mask, secret_forms
from clients_register.conformance.results import Result
from clients_register.conformance.target import Target

# Shown instead of a secret member of a response, whatever its length.
MASKED = "not-the-secret-"

# Shorter secrets that were received are masked only as members: they may be words of other text.
MIN_WORD = 4

# Names of members and headers whose values are secret, in the spellings of other servers, too.
_SECRET_NAME = re.compile(r"passw|token|secret|hash|digest|api.?key|cookie|^authorization$", re.I)

# A member of JSON in other text. The text may have been cut within its value. The length of names
# is limited, because each quotation mark may begin one.
_MEMBER = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.){0,100}+")(?P<colon>\s*:\s*)'
    r'(?P<value>"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[^\s,\[\]{}"]+)',
    re.DOTALL,
)
_BCRYPT_HASH = re.compile(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{22,53}")


class Redactor:
    """Masks the secrets of some exchanges, plain and in base64."""

    def __init__(self, secrets: Iterable[str] = (), exchanges: Iterable[Exchange] = ()) -> None:
        """`secrets` were sent; those of `exchanges` are added, and what their responses have."""
        sent, received, echoed = set(secrets), set[str](), set[str]()
        for exchange in exchanges:
            sent.update(exchange.secrets)
            received.update(_find_secrets(exchange.envelope))
            # A generated password may be shown in its request, but in no response.
            echoed.update(_find_secrets(exchange.decoded))
        sent.update(each for each in received if len(each) >= MIN_SECRET_LENGTH)
        self._sent = _masks(sent)
        self._received = _masks(each for each in received | echoed if len(each) >= MIN_WORD)

    def redact(self, text: str) -> str:
        """Masks secrets in text of the suite, such as a request."""
        return _replace(text, self._sent)

    def redact_received(self, text: str) -> str:
        """Masks secrets in text of the target, including those in its JSON, and hashes."""
        text = _MEMBER.sub(_mask_member, text)
        text = _BCRYPT_HASH.sub(MASKED, text)
        return _replace(_replace(text, self._sent), self._received)

    def redact_json(self, value: Any) -> Any:
        """Masks secrets in JSON of the suite."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, Mapping):
            return {self.redact(name): self.redact_json(each) for name, each in value.items()}
        return [self.redact_json(each) for each in value] if isinstance(value, list) else value

    def redact_received_json(self, value: Any) -> Any:
        """Masks secrets in JSON of the target, including the values of secret members."""
        if isinstance(value, str):
            return self.redact_received(value)
        if isinstance(value, Mapping):
            return {
                self.redact_received(name): mask_all(each)
                if is_secret(name)
                else self.redact_received_json(each)
                for name, each in value.items()
            }
        if isinstance(value, list):
            return [self.redact_received_json(each) for each in value]
        return value

    def redact_header(self, name: str, value: str) -> str:
        """Masks the secrets in a header of a response, or all of it."""
        return HIDDEN if is_secret(name) else self.redact_received(value)


def redactor_for(target: Target, result: Result | None = None) -> Redactor:
    """Returns the redactor for text of a target, or for a result on it."""
    # The target may echo an API key; short header values may occur anywhere by chance.
    keys = [each for each in target.headers.values() if secret_forms(each)]
    if result is None:
        return Redactor(keys)
    return Redactor([*result.secrets, *keys], result.exchanges)


def hide_own_headers(request: HttpRequest, target: Target) -> HttpRequest:
    """Hides the values of the target's own headers, such as API keys, whoever sent the request."""
    own = {name.lower() for name in target.headers}
    headers = tuple(
        (name, HIDDEN if name.lower() in own else value) for name, value in request.headers
    )
    return replace(request, headers=headers)


def is_secret(name: str) -> bool:
    """Tells whether a member or a header of this name has a secret value."""
    return _SECRET_NAME.search(name) is not None


def mask_all(value: Any) -> Any:
    """Masks every string and number in a JSON value."""
    if isinstance(value, Mapping):
        return {name: mask_all(each) for name, each in value.items()}
    if isinstance(value, list):
        return [mask_all(each) for each in value]
    return value if value is None or isinstance(value, bool) else MASKED


def _find_secrets(value: Any, *, secret: bool = False) -> Iterator[str]:
    if secret and isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _find_secrets(each, secret=secret or is_secret(name))
    elif isinstance(value, list):
        for each in value:
            yield from _find_secrets(each, secret=secret)


def _masks(secrets: Iterable[str]) -> dict[str, str]:
    """Returns the text to replace, longest first, with its replacement."""
    forms = {
        form for secret in secrets for form in (secret, *map(bytes.decode, secret_forms(secret)))
    }
    return {form: mask(form) for form in sorted(forms, key=len, reverse=True) if form}


def _replace(text: str, masks: Mapping[str, str]) -> str:
    for form, masked in masks.items():
        text = text.replace(form, masked)
    return text


def _mask_member(found: re.Match[str]) -> str:
    try:
        name = json.loads(found["name"])
    except ValueError:
        name = found["name"]
    value = found["value"]
    if not is_secret(name) or value in ("null", "true", "false"):
        return found[0]
    return f'{found["name"]}{found["colon"]}"{MASKED}"'
