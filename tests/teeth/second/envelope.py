"""Responses: a status with the parts it carries, as one JSON object."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clients_register import spec
from clients_register.spec.schemas import views
from clients_register.spec.statuses import Status, StatusTable, load_statuses

# Kind of object -> name of a view -> its keys.
VIEWS = views(spec.load("openapi"))
DEFAULT_VIEW = "default"


def _spelt_otherwise() -> StatusTable:
    """The table with each alias in place of the original spelling."""
    whole = load_statuses()
    for alias in whole.aliases:
        whole = whole.with_spelling(alias.slug)
    return whole


STATUSES = _spelt_otherwise()


@dataclass(frozen=True)
class Answer:
    """A status and the parts of the envelope other than `code` and `status`."""

    status: Status
    parts: Mapping[str, Any] = field(default_factory=dict)


class Refusal(Exception):
    """A fact that the contract asks for does not hold; `answer` says so."""

    def __init__(self, fact: str, **parts: Any) -> None:
        super().__init__(fact)
        self.answer = Answer(STATUSES.for_rule(fact), parts)


def faulty(fact: str, faults: Mapping[str, str]) -> Refusal:
    """The refusal of parameters: `faults` maps the dotted path of each to what is wrong with it."""
    errors = [{"attr": attr, "message": faults[attr]} for attr in sorted(faults)]
    return Refusal(fact, errors=errors)


def represented(kind: str, whole: Mapping[str, Any], view: Any) -> dict[str, Any]:
    """`whole`, of the kind "client", "session" or "application", in its `view`.

    Of a name that is none of a view, or no string at all, the default view comes back.
    """
    known = VIEWS[kind]
    named = view if isinstance(view, str) and view in known else DEFAULT_VIEW
    return {key: whole[key] for key in known[named]}


def written(answer: Answer) -> bytes:
    """The envelope of `answer` in ASCII JSON: keys in reverse order, with additional ones."""
    envelope = {
        "code": answer.status.code,
        "status": answer.status.slug,
        **answer.parts,
        "meaning": answer.status.meaning,
        "server": {"name": "second", "tags": [None, True, 1.5]},
    }
    return json.dumps(_reversed(envelope), indent=1).encode()


def timestamp(moment: datetime) -> str:
    """`moment`, which is in UTC, as the contract writes times."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in sorted(value, reverse=True)}
    return [_reversed(each) for each in value] if isinstance(value, list) else value
