"""Builds requests: fills the placeholders of a case and encodes what it sends, down to the bytes.

A placeholder is `${name}`, `${text*count}` for repetition, or either with filters, as in
`${encoded|urlsafe}`.
"""

import json
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from clients_register.conformance.case import Expectation, RequestTemplate
from clients_register.conformance.http_client import HttpRequest

# Every address of the suite begins with this.
EMAIL_PREFIX = "conformance"

# The placeholders whose values are generated when they are first used.
GENERATED = ("email", "email2", "email3", "password", "unique")

# Shorter secrets may occur in a response by chance.
MIN_SECRET_LENGTH = 16

# Characters in a line of MIME base64 (RFC 2045, section 6.8).
MIME_LINE = 76

_PLACEHOLDER = re.compile(r"\$\{([^{}]+)\}")
_REPETITION = re.compile(r"(.+)\*(\d+)", re.DOTALL)
_URLSAFE = str.maketrans("+/", "-_")


def encode_base64(data: bytes) -> str:
    """Encodes `data` in base64 (RFC 4648, section 4): padded, in one line."""
    return b64encode(data).decode()


def _break_lines(text: str, end: str) -> str:
    return end.join(text[i : i + MIME_LINE] for i in range(0, len(text), MIME_LINE)) + end


# Other ways to write base64, by the name of a filter.
BASE64_FILTERS: Mapping[str, Callable[[str], str]] = {
    "urlsafe": lambda text: text.translate(_URLSAFE),
    "unpadded": lambda text: text.rstrip("="),
    "padded": lambda text: text + "=",
    "wrapped": lambda text: _break_lines(text, "\r\n"),
    "lf": lambda text: _break_lines(text, "\n"),
    "spaced": " ".join,
}
FILTERS: Mapping[str, Callable[[str], str]] = {
    **BASE64_FILTERS,
    "upper": str.upper,
    "title": str.title,
}


def pad_to(text: str, size: int) -> str:
    """Pads `text` with line feeds to `size` bytes. Raises ValueError if it is longer."""
    length = len(text.encode())
    if length > size:
        raise ValueError(f"expected at most {size} bytes to fill up, found {length}")
    return text + "\n" * (size - length)


def mask(secret: str) -> str:
    """Returns text to show instead of a secret: of the same length, so its base64 is, too."""
    return ("not-the-secret-" * (len(secret) // 15 + 1))[: len(secret)]


def secret_forms(secret: str) -> list[bytes]:
    """Returns a secret as a response may contain it: plain, and in base64 at each alignment.

    Returns nothing for secrets that are too short.
    """
    raw = secret.encode()
    if len(raw) < MIN_SECRET_LENGTH:
        return []
    # At another alignment, the first and last characters depend on the surrounding text.
    shifted = (encode_base64(b"\0" * shift + raw)[(0, 2, 3)[shift] : -4] for shift in range(3))
    return [raw, *(each.encode() for each in shifted)]


class UnknownPlaceholder(ValueError):
    """A case uses a placeholder without a value; the message lists those that have one."""


class Values:
    """The values of the placeholders of one case, generated when first used.

    `secrets` must not appear in any response or report; `tokens` must not appear in a report, but
    a response may contain one. `emails` are all generated addresses.
    """

    def __init__(self, domain: str, run_id: str, known: Mapping[str, Any]) -> None:
        """`domain` is that of generated addresses, and `run_id` a part of each."""
        self.secrets: list[str] = []
        self.tokens: list[str] = []
        self.emails: list[str] = []
        self._domain = domain
        self._run_id = run_id
        self._values: dict[str, Any] = dict(known)

    def redacted(self) -> "Values":
        """Returns a copy with masked secrets, to show a request."""
        copy = Values(self._domain, self._run_id, self._values)
        masked = {secret: mask(secret) for secret in (*self.secrets, *self.tokens)}
        copy.update(
            {
                name: masked.get(value, value)
                for name, value in self._values.items()
                if isinstance(value, str)
            }
        )
        return copy

    def update(self, values: Mapping[str, Any]) -> None:
        """Adds `values` by name."""
        self._values.update(values)

    def snapshot(self) -> Mapping[str, Any]:
        """Returns all values generated so far, by name."""
        return dict(self._values)

    def fresh_email(self) -> str:
        """Generates an unused address, recognizable as one of the suite."""
        email = f"{EMAIL_PREFIX}.{self._run_id}.{secrets.token_hex(6)}@{self._domain}"
        self.emails.append(email)
        return email

    def fresh_password(self) -> str:
        """Generates a password, which is kept secret."""
        password = secrets.token_urlsafe(18)
        self.secrets.append(password)
        return password

    def get(self, name: str) -> Any:
        """Returns the value called `name`. Raises UnknownPlaceholder."""
        if name not in self._values:
            self._values[name] = self._generate(name)
        return self._values[name]

    def fill(self, template: Any) -> Any:
        """Fills all placeholders in a JSON value.

        A string that is a single placeholder takes on the type of its value. Raises
        UnknownPlaceholder.
        """
        if isinstance(template, str):
            whole = _PLACEHOLDER.fullmatch(template)
            if whole is not None:
                return self._evaluate(whole[1])
            return _PLACEHOLDER.sub(lambda found: str(self._evaluate(found[1])), template)
        if isinstance(template, Mapping):
            return {self.fill(key): self.fill(value) for key, value in template.items()}
        if isinstance(template, list | tuple):
            return [self.fill(each) for each in template]
        return template

    def fill_expectation(self, expectation: Expectation) -> Expectation:
        """Fills all placeholders of an expectation. Raises UnknownPlaceholder."""
        return replace(expectation, terms=self.fill(expectation.terms))

    def _generate(self, name: str) -> Any:
        match name:
            case "email" | "email2" | "email3":
                return self.fresh_email()
            case "password":
                return self.fresh_password()
            case "unique":
                return secrets.token_hex(8)
        known = ", ".join(sorted({*self._values, *GENERATED}))
        raise UnknownPlaceholder(f"nothing gives a value for ${{{name}}}; there are {known}")

    def _evaluate(self, expression: str) -> Any:
        name, *filters = expression.split("|")
        repetition = _REPETITION.fullmatch(name)
        value = repetition[1] * int(repetition[2]) if repetition else self.get(name)
        for each in filters:
            value = _apply_filter(str(value), each)
        return value


def build_request(send: RequestTemplate, values: Values, headers: Mapping[str, str]) -> HttpRequest:
    """Builds the request that `send` describes.

    `headers` are the target's own, such as an API key. Raises UnknownPlaceholder.
    """
    if send.body_hex is not None:
        body = bytes.fromhex(send.body_hex)
    else:
        values.update({"encoded": encode_base64(_build_content(send, values))})
        body = str(values.fill(send.body)).encode()
    by_name = {"Content-Type": "text/plain", **headers, **values.fill(send.headers)}
    lines = [
        (name, value)
        for name, given in by_name.items()
        if given is not None
        for value in (given if isinstance(given, list) else [given])
    ]
    target = str(values.fill(send.path))
    return HttpRequest(send.method, target, tuple(lines), body, send.chunked)


def build_params(send: RequestTemplate, values: Values) -> Any:
    """Builds the JSON value that `send` encodes; None if it is written as text or bytes."""
    if send.content is not None:
        layer, content = send.content
        return values.fill(content) if layer in ("params", "json") else None
    params: dict[str, Any] = {
        "application": values.get("application"),
        "client": {"email": values.get("email"), "password": values.get("password")},
    }
    for path, value in send.set.items():
        container, name = _find_container(params, path)
        container[name] = values.fill(value)
    for path in send.drop:
        container, name = _find_container(params, path)
        del container[name]
    return params


def _build_content(send: RequestTemplate, values: Values) -> bytes:
    layer, content = send.content or ("params", None)
    if layer == "text":
        return str(values.fill(content)).encode()
    if layer == "text_hex":
        return bytes.fromhex(str(content))
    return json.dumps(build_params(send, values), ensure_ascii=False).encode()


def _find_container(params: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    *containers, name = path.split(".")
    for each in containers:
        params = params.setdefault(each, {})
    return params, name


def _apply_filter(text: str, expression: str) -> str:
    name, _, argument = expression.partition(":")
    if name == "fill":
        return pad_to(text, int(argument))
    if name not in FILTERS:
        raise UnknownPlaceholder(
            f"there is no filter called {name!r}; there are fill:SIZE, {', '.join(sorted(FILTERS))}"
        )
    return FILTERS[name](text)
