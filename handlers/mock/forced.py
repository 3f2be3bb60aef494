"""Answers that are not earned: the spec's own examples, made once and sent as they are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import Message

from clients_register.handlers.mock.headers import Headers, whole
from clients_register.spec.catalogue import Catalogue, SpecError, Status
from clients_register.spec.schemas import operation


@dataclass(frozen=True, slots=True)
class Example:
    """The answer of a status in the spec: its envelope, and that in bytes."""

    status: Status
    envelope: Mapping[str, Any]
    body: bytes
    headers: Headers

    def answer(self, headers: Headers) -> list[Message]:
        """The example as an answer, with `headers` beside its own."""
        return whole(self.status.code, self.headers + headers, self.body)


def examples(document: Mapping[str, Any], statuses: Catalogue) -> dict[str, Example]:
    """Slug -> example, in order of precedence, from the named examples of the document.

    Raises SpecError where one is missing.
    """
    values: dict[str, Any] = {}
    for response in operation(document)["responses"].values():
        for content in response["content"].values():
            values |= {name: each["value"] for name, each in content["examples"].items()}
    if missing := [slug for slug in statuses.slugs if slug not in values]:
        raise SpecError(f"responses: expected an example named {missing[0]}, found none")
    return {status.slug: _example(status, values[status.slug]) for status in statuses}


def _example(status: Status, envelope: Mapping[str, Any]) -> Example:
    body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    return Example(status, envelope, body, headers)
