"""Takes the secrets of a case out of what a report shows."""

from collections.abc import Iterable, Mapping
from typing import Any

from clients_register.conformance.composing import stand_in
from clients_register.conformance.invariants import forms

# Values of these names are secrets wherever they stand in an answer.
SECRET_KEYS = ("token",)


class Hiding:
    """Puts stand-ins for the secrets of one case, raw and in base64."""

    def __init__(self, secrets: Iterable[str], envelopes: Iterable[Any]) -> None:
        """`secrets` were sent; those that `envelopes` of answers hold are found."""
        told = {value for envelope in envelopes for value in _secrets_in(envelope)}
        self._forms = {
            form.decode(): stand_in(form.decode())
            for secret in sorted({*secrets, *told}, key=len, reverse=True)
            for form in forms(secret) or [secret.encode()]
            if form
        }

    def __call__(self, text: str) -> str:
        """`text` without secrets."""
        for form, instead in self._forms.items():
            text = text.replace(form, instead)
        return text

    def inside(self, value: Any) -> Any:
        """A JSON value without secrets."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self(key): self.inside(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.inside(each) for each in value]
        return value


def _secrets_in(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key in SECRET_KEYS and isinstance(each, str):
                yield each
            else:
                yield from _secrets_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from _secrets_in(each)
