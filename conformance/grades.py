"""Grades of assertions: one table, in spec/grades.yaml and `x-statuses`, for every kind of check.

An assertion is about a part of a response, and it holds for a cause: what the request raises that
the owner's page leaves open. Its grade is the weakest of both.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from clients_register import spec
from clients_register.spec.statuses import Status


class Grade(StrEnum):
    """The evidence for an expectation, strongest first."""

    DOCUMENTED = "documented"
    FAMILY = "family"
    DECIDED = "decided"


class Part(StrEnum):
    """A part of a response or of its effects that an assertion is about."""

    RESPONSE = "response"
    RESPONSE_TO_MALFORMED_HTTP = "response_to_malformed_http"
    FRAMING = "framing"
    END = "end"
    PREFLIGHT = "preflight"
    HEADERS = "headers"
    SECRECY = "secrecy"
    DISCRETION = "discretion"
    SCHEMATHESIS = "schemathesis"
    CONTENT_CODING = "content_coding"
    NEEDLESS_IDENTITY = "needless_identity"
    CHARACTER_ENCODING = "character_encoding"
    JSON = "json"
    REPEATED_NAME = "repeated_name"
    LONE_SURROGATE = "lone_surrogate"
    ENVELOPE = "envelope"
    KNOWN_STATUS = "known_status"
    STATUS = "status"
    CODE = "code"
    SURPLUS_KEY = "surplus_key"
    ERRORS = "errors"
    DATA_MEMBER = "data_member"
    ENTERPRISE = "enterprise"
    SESSION_MEMBER = "session_member"
    APPLICATION_MEMBER = "application_member"
    STORED_BY_SUCCESS = "stored_by_success"
    STORED = "stored"
    MAILED = "mailed"
    USED = "used"
    STUB = "stub"


_STRENGTH = {grade: position for position, grade in enumerate(Grade)}

_STATUS = "/status"
_CODE = "/code"
_ENTERPRISE = "/data/enterprise"

# An entry of `errors`: `attr` and `message`.
ErrorEntry = tuple[str, str]


class Basis(NamedTuple):
    """The evidence for an assertion: its grade and, optionally, its source.

    `source` is the key of a requirement or question, or the text of another rule. Without it, the
    requirements and questions of the case apply.
    """

    grade: Grade
    source: str | None = None


def weakest(grades: Iterable[Grade]) -> Grade:
    """Returns the grade of an assertion that rests on all of `grades`; documented if none."""
    return max(grades, key=_STRENGTH.__getitem__, default=Grade.DOCUMENTED)


def strongest(grades: Iterable[Grade]) -> Grade:
    """Returns the grade of an assertion that any one of `grades` supports."""
    return min(grades, key=_STRENGTH.__getitem__)


@dataclass(frozen=True)
class GradeTable:
    """The table: grades by part, by cause, and of each entry of `errors`.

    `keys` are the requirements and questions that parts rest on, and `rules` other rules. `errors`
    has the key and the grade of an entry, by `message` and `attr`.
    """

    parts: Mapping[Part, Grade]
    keys: Mapping[Part, str]
    rules: Mapping[Part, str]
    causes: Mapping[str, Grade]
    errors: Mapping[str, Mapping[str, tuple[str, Grade]]]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "GradeTable":
        """Reads the parsed grades.yaml. Raises ValueError unless it has all parts and no others."""
        about = {Part(name): each for name, each in document["parts"].items()}
        parts = {part: Grade(each["grade"]) for part, each in about.items()}
        if missing := sorted({*Part} - {*parts}):
            raise ValueError(f"grades.yaml, parts: expected {', '.join(missing)}, found none")
        return cls(
            parts,
            {Part(name): each["key"] for name, each in document["parts"].items() if "key" in each},
            {
                Part(name): each["rule"]
                for name, each in document["parts"].items()
                if "rule" in each
            },
            {each["key"]: Grade(each["grade"]) for each in document["causes"]},
            {
                message: {attr: (each["key"], Grade(each["grade"])) for attr, each in attrs.items()}
                for message, attrs in document["errors"].items()
            },
        )

    def of_causes(self, keys: Iterable[str]) -> Grade:
        """Returns the grade of what rests on these questions; others are no causes."""
        return weakest(self.causes[key] for key in keys if key in self.causes)

    def of_error(self, attr: str, message: str) -> Grade:
        """Returns the grade of the rule behind an entry of `errors`."""
        return self._find_error(attr, message)[1]

    def key_of_error(self, attr: str, message: str) -> str:
        """Returns the requirement or question behind an entry of `errors`."""
        return self._find_error(attr, message)[0]

    def of_errors(self, expected: Collection[ErrorEntry], found: Any, cause: Grade) -> Grade:
        """Returns the grade of expecting these entries, if `found` is received instead.

        It is that of the entries that are missing. If none is, only the form is wrong.
        """
        received = found if isinstance(found, list) else []
        entries = [
            (each.get("attr"), each.get("message"))
            for each in received
            if isinstance(each, Mapping)
        ]
        missing = [self.of_error(*each) for each in expected if each not in entries]
        own = strongest(missing) if missing else Grade.DOCUMENTED
        return weakest((self.parts[Part.ERRORS], own, cause))

    def basis_of(self, part: Part) -> Basis:
        """Returns what assertions about a part of a response rest on."""
        return Basis(self.parts[part], self.keys.get(part) or self.rules.get(part))

    def basis_of_value(
        self,
        terms: Mapping[str, Any],
        row: Status | None,
        cause: Grade,
        *,
        present: bool = True,
        is_object: bool = True,
    ) -> Basis:
        """Returns what the expectation of `terms` at a pointer rests on, if it is not met.

        `row` is the status of the response. `present`: it has a value there, `is_object`: which is
        an object. `cause` is the grade of what the request raises.
        """
        pointer: str = terms["at"]
        _, key, *rest = pointer.split("/")
        if pointer == _STATUS:
            return Basis(weakest((self.parts[Part.STATUS], cause)))
        if pointer == _ENTERPRISE and terms.get("is") is True and present:
            basis = self.basis_of(Part.ENTERPRISE)
            return basis._replace(grade=weakest((basis.grade, cause)))
        if pointer == _CODE:
            return self.basis_of(Part.CODE)
        if rest or ("keys" in terms and is_object):
            return self.basis_of(_MEMBERS.get(key, Part.SURPLUS_KEY))
        return self.basis_of_key(key, row, expected="absent" not in terms)

    def basis_of_key(self, key: str, row: Status | None, *, expected: bool = True) -> Basis:
        """Returns what it rests on whether a key is in the envelope of a response.

        `row` is the status of the response.
        """
        if expected and row is not None and key in row.carries:
            return _evidence(row, key)
        return self.basis_of(Part.SURPLUS_KEY)

    def of_stored(self, row: Status, cause: Grade) -> Grade:
        """Returns the grade of whether a client is stored after a response with that status."""
        part = Part.STORED if row.rules else Part.STORED_BY_SUCCESS
        return weakest((self.parts[part], cause))

    def _find_error(self, attr: str, message: str) -> tuple[str, Grade]:
        attrs = self.errors[message]
        return attrs.get(attr) or attrs["*"]


# The parts that the members of each object in the envelope belong to.
_MEMBERS = {
    "data": Part.DATA_MEMBER,
    "session": Part.SESSION_MEMBER,
    "application": Part.APPLICATION_MEMBER,
    "errors": Part.ERRORS,
}


def _evidence(row: Status, name: str) -> Basis:
    """Returns what a part of a status rests on; it is documented if the part has no evidence."""
    evidence = row.evidence.get(name)
    if evidence is None:
        return Basis(Grade.DOCUMENTED)
    return Basis(Grade(evidence["grade"]), evidence.get("key"))


def basis_of_code(row: Status) -> Basis:
    """Returns what the HTTP code of a status rests on."""
    return _evidence(row, "code")


def grade_of_status(row: Status, cause: Grade) -> Grade:
    """Returns the grade of expecting a status for that cause."""
    return weakest((_evidence(row, "slug").grade, _evidence(row, "rules").grade, cause))


def grade_of_reading(expected: Collection[str], received: Status | None) -> Grade:
    """Returns the grade of one of the `expected` slugs not being the `received` status.

    It is documented, unless the page may be read to mean that status.
    """
    if received is None or received.instead_of not in expected:
        return Grade.DOCUMENTED
    return _evidence(received, "text").grade


@cache
def load_grades() -> GradeTable:
    """Loads the table from the shipped grades.yaml."""
    return GradeTable.from_document(spec.load("grades"))


def basis_of(part: Part) -> Basis:
    """Returns what assertions about a part of a response rest on."""
    return load_grades().basis_of(part)


def grade_of(part: Part) -> Grade:
    """Returns the grade of a part of a response."""
    return load_grades().parts[part]
