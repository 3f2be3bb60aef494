"""From what a case sends, with its placeholders, to the bytes of a request."""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from clients_register.conformance import encoding
from clients_register.conformance.model import Send
from clients_register.conformance.wire import Request

# What every address of the suite begins with.
PREFIX = "conformance"

PLACEHOLDER = re.compile(r"\$\{([^{}]+)\}")

WORD_FILTERS: dict[str, Callable[[str], str]] = {"upper": str.upper, "title": str.title}


def stand_in(secret: str) -> str:
    """What is shown in the place of a secret: as long, and so encoded to the same length."""
    return ("not-the-secret-" * (len(secret) // 15 + 1))[: len(secret)]


class UnknownPlaceholder(ValueError):
    """A case names a value that nothing gives; the message says which, and what there is."""


class Values:
    """The values of one case: made when first asked for, and the same ever after."""

    def __init__(self, domain: str, run: str, known: Mapping[str, Any]) -> None:
        """`domain` is that of fresh addresses; `run` is part of each of them.

        `secrets` must be in no answer and no report; `tokens` in no report, since answers may hold
        the token of a session that is theirs to give.
        """
        self.secrets: list[str] = []
        self.tokens: list[str] = []
        self.emails: list[str] = []
        self._domain = domain
        self._run = run
        self._values: dict[str, Any] = dict(known)

    def discreet(self) -> "Values":
        """The same values with stand-ins for secrets, for what is shown of a request."""
        other = Values(self._domain, self._run, self._values)
        hidden = {secret: stand_in(secret) for secret in (*self.secrets, *self.tokens)}
        other.keep(
            {
                name: hidden.get(value, value)
                for name, value in self._values.items()
                if isinstance(value, str)
            }
        )
        return other

    def keep(self, values: Mapping[str, Any]) -> None:
        """Remembers `values` by their names."""
        self._values.update(values)

    def given(self) -> Mapping[str, Any]:
        """All values that there are already, by their names."""
        return dict(self._values)

    def fresh_email(self) -> str:
        """An address that nobody has, as whoever finds it in a database can see."""
        email = f"{PREFIX}.{self._run}.{secrets.token_hex(6)}@{self._domain}"
        self.emails.append(email)
        return email

    def get(self, name: str) -> Any:
        """The value called `name`. Raises UnknownPlaceholder."""
        if name not in self._values:
            self._values[name] = self._made(name)
        return self._values[name]

    def _made(self, name: str) -> Any:
        if name in ("email", "email2"):
            return self.fresh_email()
        if name == "password":
            password = secrets.token_urlsafe(18)
            self.secrets.append(password)
            return password
        if name == "unique":
            return secrets.token_hex(8)
        known = ", ".join(sorted({*self._values, "email", "email2", "password", "unique"}))
        raise UnknownPlaceholder(f"nothing gives a value for ${{{name}}}; there are {known}")

    def fill(self, written: Any) -> Any:
        """`written` with every placeholder filled; one that stands alone keeps its value's type."""
        if isinstance(written, str):
            alone = PLACEHOLDER.fullmatch(written)
            if alone is not None:
                return self._value(alone[1])
            return PLACEHOLDER.sub(lambda found: str(self._value(found[1])), written)
        if isinstance(written, Mapping):
            return {self.fill(key): self.fill(value) for key, value in written.items()}
        if isinstance(written, list | tuple):
            return [self.fill(each) for each in written]
        return written

    def _value(self, asked: str) -> Any:
        name, *filters = asked.split("|")
        repeated = re.fullmatch(r"(.+)\*(\d+)", name, re.DOTALL)
        value = repeated[1] * int(repeated[2]) if repeated else self.get(name)
        for each in filters:
            value = _filtered(str(value), each)
        return value


def compose(send: Send, values: Values, headers: Mapping[str, str]) -> Request:
    """The request that `send` describes. `headers` are the target's own, such as an API key.

    Raises UnknownPlaceholder.
    """
    if send.body_hex is not None:
        body = bytes.fromhex(send.body_hex)
    else:
        values.keep({"encoded": encoding.encoded(_content(send, values))})
        body = str(values.fill(send.body)).encode()
    lines = {"Content-Type": "text/plain", **headers, **values.fill(send.headers)}
    listed = [
        (name, value)
        for name, given in lines.items()
        if given is not None
        for value in (given if isinstance(given, list) else [given])
    ]
    target = str(values.fill(send.path))
    return Request(send.method, target, tuple(listed), body, send.chunked)


def params_of(send: Send, values: Values) -> Any:
    """The JSON that `send` encodes, where it is written as JSON; None for text and bytes."""
    if send.content is not None:
        layer, content = send.content
        return values.fill(content) if layer in ("params", "json") else None
    params: dict[str, Any] = {
        "application": values.get("application"),
        "client": {"email": values.get("email"), "password": values.get("password")},
    }
    for path, value in send.set.items():
        container, name = _place(params, path)
        container[name] = values.fill(value)
    for path in send.drop:
        container, name = _place(params, path)
        del container[name]
    return params


def _content(send: Send, values: Values) -> bytes:
    layer, content = send.content or ("params", None)
    if layer == "text":
        return str(values.fill(content)).encode()
    if layer == "text_hex":
        return bytes.fromhex(str(content))
    return json.dumps(params_of(send, values), ensure_ascii=False).encode()


def _place(params: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    *containers, name = path.split(".")
    for each in containers:
        params = params.setdefault(each, {})
    return params, name


def _filtered(text: str, name: str) -> str:
    name, _, argument = name.partition(":")
    if name == "fill":
        return encoding.filled(text, int(argument))
    known = {**WORD_FILTERS, **encoding.FILTERS}
    if name not in known:
        raise UnknownPlaceholder(
            f"there is no filter called {name!r}; there are fill:SIZE, {', '.join(sorted(known))}"
        )
    return known[name](text)
