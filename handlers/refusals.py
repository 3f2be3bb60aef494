"""Refusals and faults: how the server says that a fact does not hold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from clients_register import spec
from clients_register.spec.schemas import resolve


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one parameter; both fields empty where the whole request is at fault."""

    attr: str = ""
    message: str = ""


class Refusal(Exception):
    """The request ends here: `fact` does not hold. The spec knows which status that is."""

    def __init__(self, fact: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(fact)
        self.fact = fact
        self.faults = faults


@cache
def _severity() -> Mapping[str, int]:
    document = spec.load("openapi")
    messages = resolve(document, "#/components/schemas/Error")["properties"]["message"]["enum"]
    return {message: place for place, message in enumerate(messages)}


def errors(faults: Iterable[Fault]) -> list[dict[str, str]]:
    """The `errors` of an envelope: one entry a parameter, the gravest message first (Q-ERRORS)."""
    severity = _severity()
    gravest: dict[str, str] = {}
    for fault in faults:
        known = gravest.get(fault.attr)
        if known is None or severity[fault.message] < severity[known]:
            gravest[fault.attr] = fault.message
    return [{"attr": attr, "message": gravest[attr]} for attr in sorted(gravest)]
