"""Holds expectations against an answer."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clients_register.conformance.envelope import ABSENT, Layout, shown
from clients_register.conformance.findings import Finding, judged
from clients_register.conformance.model import Expectation
from clients_register.conformance.verdicts import Grade, weaker
from clients_register.conformance.wire import Answer
from clients_register.spec.statuses import Status, StatusTable

TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}


@dataclass(frozen=True)
class Seen:
    """An answer, with what is needed to read it."""

    answer: Answer
    document: Any
    layout: Layout
    statuses: StatusTable

    def find(self, pointer: str) -> Any:
        """What stands at the contract's `pointer`, or ABSENT."""
        return self.layout.find(self.document, pointer)

    @property
    def slug(self) -> str | None:
        """The status that the answer names, if it names one."""
        found = self.find("/status")
        return found if isinstance(found, str) else None


def match(expectation: Expectation, seen: Seen) -> list[Finding]:
    """Holds one expectation, its placeholders filled, against the answer."""
    return MATCHERS[expectation.kind](expectation.terms, expectation.grade, seen)


def spellings(slug: str, statuses: StatusTable) -> set[str]:
    """`slug`, and every other spelling of the same status."""
    rows = {row.slug: row for row in statuses}
    meant = rows[slug].alias_of or slug
    return {row.slug for row in statuses if meant in (row.slug, row.alias_of)}


def row_of(slug: str | None, statuses: StatusTable) -> Status | None:
    """The row of the contract that `slug` names, if there is one."""
    return next((row for row in statuses if row.slug == slug), None)


def _status(terms: Mapping[str, Any], grade: Grade, seen: Seen) -> list[Finding]:
    wanted = [terms["status"], *terms.get("also", ())]
    right = {each for slug in wanted for each in spellings(slug, seen.statuses)}
    found = seen.slug
    findings = [judged("status", grade, " or ".join(wanted), _said(seen), right=found in right)]
    if found not in right:
        return findings
    row = row_of(found, seen.statuses)
    assert row is not None, "the right ones are all documented"
    coded = weaker(grade, Grade(row.evidence["code"]["grade"]))
    code = seen.answer.code
    findings.append(judged("HTTP code", coded, str(row.code), str(code), right=code == row.code))
    return findings


def _code(terms: Mapping[str, Any], grade: Grade, seen: Seen) -> list[Finding]:
    code = seen.answer.code
    return [judged("HTTP code", grade, str(terms["code"]), str(code), right=code == terms["code"])]


def _errors(terms: Mapping[str, Any], grade: Grade, seen: Seen) -> list[Finding]:
    found = seen.find("/errors")
    right = same(found, terms["errors"])
    return [judged("errors", grade, shown(terms["errors"]), shown(found), right=right)]


def _errors_of(terms: Mapping[str, Any], grade: Grade, seen: Seen) -> list[Finding]:
    found = seen.find("/errors")
    listed = found if isinstance(found, list) else []
    attrs = [each.get("attr") if isinstance(each, Mapping) else None for each in listed]
    wanted = terms["errors_of"]
    right = attrs == wanted
    return [judged("faults listed in errors", grade, shown(wanted), shown(found), right=right)]


def _at(terms: Mapping[str, Any], grade: Grade, seen: Seen) -> list[Finding]:
    pointer = terms["at"]
    found = seen.find(pointer)
    if "is" in terms:
        expected, right = shown(terms["is"]), same(found, terms["is"])
    elif "matches" in terms:
        expected = f"a string like {terms['matches']}"
        right = isinstance(found, str) and re.search(terms["matches"], found) is not None
    elif "type" in terms:
        expected, right = f"of type {terms['type']}", TYPES[terms["type"]](found)
    elif "keys" in terms:
        expected = f"an object of {', '.join(sorted(terms['keys']))}"
        right = isinstance(found, Mapping) and set(found) == set(terms["keys"])
    else:
        expected, right = repr(ABSENT), found is ABSENT
    return [judged(pointer, grade, expected, shown(found), right=right)]


def _header(terms: Mapping[str, Any], grade: Grade, seen: Seen) -> list[Finding]:
    name = terms["header"]
    found = seen.answer.header(name)
    if "absent" in terms:
        expected, right = repr(ABSENT), found is None
    else:
        expected = f"like {terms['matches']}"
        right = found is not None and re.search(terms["matches"], found) is not None
    received = repr(ABSENT) if found is None else found
    return [judged(f"header {name}", grade, expected, received, right=right)]


def _body(terms: Mapping[str, Any], grade: Grade, seen: Seen) -> list[Finding]:
    size = len(seen.answer.body)
    return [judged("body", grade, terms["body"], f"{size} bytes", right=size == 0)]


MATCHERS: dict[str, Callable[[Mapping[str, Any], Grade, Seen], list[Finding]]] = {
    "status": _status,
    "code": _code,
    "errors": _errors,
    "errors_of": _errors_of,
    "at": _at,
    "header": _header,
    "body": _body,
}


def same(found: Any, wanted: Any) -> bool:
    """Whether two JSON values are equal; to Python `True` is 1, to JSON it is not."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(wanted, Mapping):
        return (
            isinstance(found, Mapping)
            and set(found) == set(wanted)
            and all(same(found[key], wanted[key]) for key in wanted)
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list) and len(found) == len(wanted) and all(map(same, found, wanted))
        )
    return bool(found == wanted)


def _said(seen: Seen) -> str:
    """What an answer says in place of the right status."""
    if seen.slug is not None:
        return seen.slug
    text = seen.answer.body[:200].decode("utf-8", "replace")
    return f"HTTP {seen.answer.code} without a status: {text!r}"
