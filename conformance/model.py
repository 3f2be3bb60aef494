"""A case, as its file tells it: what is arranged, what is sent, what is expected and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clients_register.conformance.verdicts import Grade

CORE = "core"

# States of the whole server, and not only of people in it: what they break, they break for all.
WHOLE = frozenset(
    {
        "clock",
        "service-undeployed",
        "route-undeployed",
        "crash-before-routing",
        "crash-in-handler",
        "mail-failing",
        "stub",
    }
)


@dataclass(frozen=True)
class Send:
    """One request, before its placeholders are filled.

    `content` is what stands inside the base64, by its layer (`params`, `json`, `text` or
    `text_hex`); None is a valid registration, changed by `set` and `drop`. `body` is the template
    of the raw body, `body_hex` literal bytes.
    """

    content: tuple[str, Any] | None = None
    set: Mapping[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    body: str = "${encoded}"
    body_hex: str | None = None
    method: str = "POST"
    path: str = "${route}"
    headers: Mapping[str, str | list[str] | None] = field(default_factory=dict)
    chunked: int | None = None


@dataclass(frozen=True)
class Step:
    """Something before the judged exchange: a request, or time passing.

    `keep` are values to remember, name -> JSON pointer into the answer; `advance` is an ISO 8601
    duration.
    """

    send: Send | None = None
    keep: Mapping[str, str] = field(default_factory=dict)
    advance: str | None = None


@dataclass(frozen=True)
class Expectation:
    """One statement about the answer. `kind` is its first key in the file, `terms` all of them."""

    kind: str
    grade: Grade
    terms: Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One judged exchange and all around it. See case.schema.json for the fields."""

    id: str
    area: str
    title: str
    requires: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    claims: str = CORE
    arrange: tuple[str, ...] = ()
    before: tuple[Step, ...] = ()
    send: Send = field(default_factory=Send)
    parallel: int = 1
    expect: tuple[Expectation, ...] = ()

    @property
    def documented(self) -> bool:
        """Whether it judges what the owner's page says."""
        return any(each.grade is Grade.DOCUMENTED for each in self.expect)
