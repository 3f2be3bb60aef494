"""Refusals and faults: how the server says that a fact does not hold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


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


def errors(faults: Iterable[Fault], severity: Mapping[str, int]) -> list[dict[str, str]]:
    """The `errors` of an envelope: one entry a parameter, with its gravest message (Q-ERRORS).

    `severity` is the place of each message, the gravest first.
    """
    gravest: dict[str, str] = {}
    for fault in faults:
        known = gravest.get(fault.attr)
        if known is None or severity[fault.message] < severity[known]:
            gravest[fault.attr] = fault.message
    return [{"attr": attr, "message": gravest[attr]} for attr in sorted(gravest)]
