"""Cases: what each one arranges, sends and expects, and how case files are loaded and checked.

A case file is YAML by case.schema.json. What no schema can express is checked here, and every
problem is reported before anything is sent.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

import yaml

from clients_register import spec
from clients_register.conformance.grades import (
    Grade,
    Part,
    basis_of_code,
    grade_of,
    grade_of_status,
    load_grades,
    strongest,
    weakest,
)
from clients_register.spec.schema_errors import SchemaProblem, explain
from clients_register.spec.statuses import StatusTable, load_statuses

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

# The features that a case belongs to by default, and that of the cases about our stub itself.
CORE = "core"
STUB = "stub"

# States that affect the whole server, so cases that need one run alone on a target without worlds.
SERVER_STATES = frozenset(
    {
        "clock",
        "service-undeployed",
        "route-undeployed",
        "crash-before-routing",
        "crash-in-handler",
        "mail-failing",
        STUB,
    }
)

# The ways to write what the base64 contains.
CONTENT_LAYERS = ("params", "json", "text", "text_hex")

# The first key of an expectation is its kind.
EXPECTATION_KINDS = (
    *("status", "code", "errors", "errors_of", "at", "header", "body"),
    *("stored", "mailed", "used", "outcomes", "as_sent"),
)

# The kinds that are observed on the target and not in a response.
EFFECT_KINDS = ("stored", "mailed", "used")

# Every id that was ever used, one per line; ids that no case uses any more are marked.
LOCK_FILE = "ids.lock"
RETIRED = " retired"
RELOCK_COMMAND = "`clients-register list --write-lock`"

_PLACEHOLDER_NAME = re.compile(r"\$\{([a-z_0-9.]+)")
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_UNIT_SECONDS = (604_800, 86_400, 3_600, 60, 1)


class CaseError(ValueError):
    """Case files are invalid; the message has one line for each problem."""


@dataclass(frozen=True)
class RequestTemplate:
    """One request, before its placeholders are filled.

    `content` is what the base64 contains, by its layer (see CONTENT_LAYERS); None is a valid
    registration, changed by `set` and `drop`. `body` is the template of the raw body, `body_hex`
    literal bytes, `chunked` the bytes in a chunk.
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

    @property
    def may_register(self) -> bool:
        """Whether some server may register a client upon it, however faulty: it has a body."""
        return bool(self.body if self.body_hex is None else self.body_hex)


@dataclass(frozen=True)
class Expectation:
    """One expectation. `kind` is one of EXPECTATION_KINDS, `terms` are all its keys.

    `cause` is the grade of what the case raises. `grade` is that of the expectation, as far as it
    does not depend on what is received instead.
    """

    kind: str
    grade: Grade
    terms: Mapping[str, Any]
    cause: Grade = Grade.DOCUMENTED


@dataclass(frozen=True)
class Step:
    """A step of a case: a request, or a move of the clock by an ISO 8601 duration (`advance`).

    `together` are sent simultaneously with `send`, and each is sent `parallel` times. `keep` names
    values to remember from the response that succeeded, or else the first (name to JSON pointer).
    `questions` are those that its requests raise.
    """

    send: RequestTemplate | None = None
    together: "tuple[Step, ...]" = ()
    parallel: int = 1
    keep: Mapping[str, str] = field(default_factory=dict)
    advance: str | None = None
    questions: tuple[str, ...] = ()
    expect: tuple[Expectation, ...] = ()

    @property
    def sends(self) -> list[RequestTemplate]:
        """The requests that are sent simultaneously."""
        group = (self.send, *(each.send for each in self.together))
        return [each for each in group if each is not None] * self.parallel

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """The expectations of all its requests."""
        return (*self.expect, *(each for step in self.together for each in step.expect))


@dataclass(frozen=True)
class Case:
    """One judged exchange with its setup. See case.schema.json for the fields.

    `before` are earlier steps, which may have expectations of their own. `placeholders` are the
    names of all that it contains.
    """

    id: str
    area: str
    title: str
    requires: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    claims: str = CORE
    also_claims: tuple[str, ...] = ()
    arrange: tuple[str, ...] = ()
    before: tuple[Step, ...] = ()
    judged: Step = field(default_factory=lambda: Step(RequestTemplate()))
    placeholders: frozenset[str] = frozenset()

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, the judged one last."""
        return (*self.before, self.judged)

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """Those of all steps."""
        return tuple(each for step in self.steps for each in step.expectations)

    @property
    def keys(self) -> frozenset[str]:
        """The requirements and questions that the case concerns, by its steps and effects, too."""
        keys = load_grades().keys
        effects = {Part(each.kind) for each in self.expectations if each.kind in EFFECT_KINDS}
        raised = (key for step in self.steps for key in step.questions)
        return frozenset(
            (*self.requires, *self.questions, *raised, *(keys[each] for each in effects))
        )

    @property
    def documented(self) -> bool:
        """Whether it tests something that the owner's page states."""
        return any(each.grade is Grade.DOCUMENTED for each in self.expectations)


@cache
def load_cases() -> tuple[Case, ...]:
    """Loads the cases of this package, in the order of their files. Raises CaseError.

    They are not checked against the schema, which takes longer than half of a run; a test does it.
    """
    lock = _read_lock(files(__package__) / LOCK_FILE)
    return parse_cases(read_case_files(), load_statuses(), lock, validated=True)


def parse_cases(
    texts: Mapping[str, str],
    statuses: StatusTable,
    locked: Mapping[str, bool],
    *,
    validated: bool = False,
) -> tuple[Case, ...]:
    """Parses case files, given as name to text. Raises CaseError with all problems.

    `locked` has every id that was ever used, and whether a case uses it now. Files that are
    `validated` are known to match the schema.
    """
    problems: list[str] = []
    cases: list[Case] = []
    for name, text in texts.items():
        try:
            document = spec.parse(text)
            errors = [] if validated else _find_schema_errors(document)
            problems += [f"{name}, {each}" for each in errors]
        except (yaml.YAMLError, ValueError) as error:
            problems.append(f"{name}: expected YAML, found {error}")
            continue
        except RecursionError:
            problems.append(
                f"{name}: expected cases, found a value nested too deeply, or in itself"
            )
            continue
        if not errors:
            cases += (_parse_case(document["area"], each, statuses) for each in document["cases"])
    problems += _find_inconsistencies(cases, statuses, locked)
    if problems:
        raise CaseError("\n".join(problems))
    return tuple(cases)


def select_cases(cases: Sequence[Case], patterns: Sequence[str]) -> list[Case]:
    """Selects cases by globs over their ids, areas, requirements and questions.

    Without patterns, all are selected.
    """
    if not patterns:
        return list(cases)

    def matches(case: Case) -> bool:
        names = (case.id, case.area, *case.keys)
        return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)

    return [case for case in cases if matches(case)]


def render_lock() -> str:
    """Returns the lock file for the cases of this package. Raises CaseError."""
    locked = _read_lock(files(__package__) / LOCK_FILE)
    used = {case.id for case in parse_cases(read_case_files(), load_statuses(), {})}
    lines = (f"{each}{'' if each in used else RETIRED}" for each in sorted(used | {*locked}))
    return "".join(f"{line}\n" for line in lines)


def parse_duration(text: str) -> int:
    """Returns the seconds of an ISO 8601 duration such as P7D or PT72H1S. Raises ValueError.

    The units are weeks to seconds, because the length of the others depends on a calendar.
    """
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(f"expected an ISO 8601 duration such as P7D or PT72H1S, found {text!r}")
    units = zip(found.groups(), _UNIT_SECONDS, strict=True)
    return sum(int(number or 0) * seconds for number, seconds in units)


def read_case_files() -> dict[str, str]:
    """Reads the case files of this package, as name to text."""
    return {
        each.name: each.read_text("utf-8")
        for each in sorted((files(__package__) / "cases").iterdir(), key=lambda each: each.name)
        if each.name.endswith(".yaml")
    }


def _read_lock(file: Traversable) -> dict[str, bool]:
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    return {line.split()[0]: not line.endswith(RETIRED) for line in lines if line.strip()}


def _find_schema_errors(document: Any) -> list[SchemaProblem]:
    from jsonschema.exceptions import best_match

    found = _load_validator().iter_errors(document)
    # Of the shapes of an expectation, best_match finds the one that it nearly has.
    return [explain(best_match([error]) or error) for error in found]


@cache
def _load_validator() -> "Validator":
    from jsonschema import Draft202012Validator

    schema = json.loads((files(__package__) / "case.schema.json").read_text("utf-8"))
    return Draft202012Validator(schema)


def _parse_case(area: str, document: Mapping[str, Any], statuses: StatusTable) -> Case:
    return Case(
        id=document["id"],
        area=area,
        title=document["title"],
        requires=tuple(document.get("requires", ())),
        questions=tuple(document.get("questions", ())),
        claims=document.get("claims", CORE),
        also_claims=tuple(document.get("also_claims", ())),
        arrange=tuple(document.get("arrange", ())),
        before=tuple(
            _parse_step(each, statuses, document.get("claims", CORE))
            for each in document.get("before", ())
        ),
        judged=_parse_step({"send": {}, **document}, statuses, document.get("claims", CORE)),
        placeholders=frozenset(_PLACEHOLDER_NAME.findall(json.dumps(document))),
    )


def _parse_step(document: Mapping[str, Any], statuses: StatusTable, claims: str) -> Step:
    return Step(
        send=_parse_send(document["send"]) if "send" in document else None,
        together=tuple(
            _parse_step(each, statuses, claims) for each in document.get("together", ())
        ),
        parallel=document.get("parallel", 1),
        keep=document.get("keep", {}),
        advance=document["clock"]["advance"] if "clock" in document else None,
        questions=tuple(document.get("questions", ())),
        expect=_parse_expectations(document, statuses, claims),
    )


def _parse_send(document: Mapping[str, Any]) -> RequestTemplate:
    layers = [(layer, document[layer]) for layer in CONTENT_LAYERS if layer in document]
    plain = ("body", "body_hex", "method", "path", "headers", "chunked", "set")
    return RequestTemplate(
        content=layers[0] if layers else None,
        drop=tuple(document.get("drop", ())),
        **{key: document[key] for key in plain if key in document},
    )


def _parse_expectations(
    document: Mapping[str, Any], statuses: StatusTable, claims: str
) -> tuple[Expectation, ...]:
    """Parses the expectations of a step, and grades them by the questions that it raises."""
    expected: list[Mapping[str, Any]] = document.get("expect", [])
    grades = load_grades()
    slug = next((each["status"] for each in expected if "status" in each), statuses.success.slug)
    row = statuses.find(slug)
    entries = [
        (entry["attr"], entry["message"])
        for each in expected
        for entry in each.get("errors", ())
        if entry["message"] in grades.errors
    ]
    if claims == STUB:
        cause = rule = grade_of(Part.STUB)
    else:
        # The rules behind the expected errors are graded one by one; any of them supports a status.
        own = {grades.key_of_error(*entry) for entry in entries}
        cause = grades.of_causes({*document.get("questions", ())} - own)
        rules = [strongest(grades.of_error(*entry) for entry in entries)] if entries else []
        rule = weakest((cause, *rules))

    def grade(kind: str, terms: Mapping[str, Any]) -> Grade:
        part = grade_of(Part.HEADERS)
        match kind:
            case "status" | "outcomes":
                return rule if row is None else grade_of_status(row, rule)
            case "errors" | "errors_of":
                return weakest((grade_of(Part.ERRORS), rule))
            case "at":
                return grades.basis_of_value(terms, row, cause).grade
            case "code" if row is not None:
                part = basis_of_code(row).grade
            case "stored" if row is not None:
                part = grades.of_stored(row, cause)
            case "mailed":
                part = grade_of(Part.MAILED)
            case "used":
                part = grade_of(Part.USED)
            case "as_sent":
                part = grade_of(Part.DATA_MEMBER)
        return weakest((part, cause))

    parsed = []
    for terms in expected:
        kind = next(kind for kind in EXPECTATION_KINDS if kind in terms)
        parsed.append(Expectation(kind, grade(kind, terms), terms, cause))
    return tuple(parsed)


def _find_inconsistencies(
    cases: Sequence[Case], statuses: StatusTable, locked: Mapping[str, bool]
) -> Iterator[str]:
    repeated = [each for each, count in Counter(case.id for case in cases).items() if count > 1]
    yield from (f"{each}: this id is used twice" for each in repeated)
    keys = {*spec.load("requirements")["requirements"], *spec.load("questions")["questions"]}
    for case in cases:
        if not case.id.startswith(f"{case.area}/"):
            yield f"{case.id}: expected an id that begins with its area, {case.area}/"
        for key in sorted(case.keys - keys):
            yield f"{case.id}: {key} is no requirement and no question of the spec"
        if locked and case.id not in locked:
            yield f"{case.id}: not in {LOCK_FILE}; {RELOCK_COMMAND} adds it"
        if locked.get(case.id) is False:
            yield f"{case.id}: this id is retired in {LOCK_FILE}; give the case another one"
        yield from (f"{case.id}: {problem}" for problem in _find_problems(case, statuses))
    used = {case.id for case in cases}
    for each, in_use in locked.items():
        if in_use and each not in used:
            yield f"{LOCK_FILE}: no case has the id {each}; {RELOCK_COMMAND} marks it as retired"


def _find_problems(case: Case, statuses: StatusTable) -> Iterator[str]:
    for each in case.expectations:
        slugs = [each.terms["status"], *each.terms.get("also", ())] if each.kind == "status" else []
        slugs += [*each.terms["outcomes"]] if each.kind == "outcomes" else []
        unknown = (slug for slug in slugs if slug not in statuses.slugs)
        yield from (f"{slug} is no status of the spec" for slug in unknown)
        messages = (entry["message"] for entry in each.terms.get("errors", ()))
        known = load_grades().errors
        yield from (f"{each} is no message of the spec" for each in messages if each not in known)
    for step in case.before:
        if step.advance is None:
            continue
        if "clock" not in case.arrange:
            yield "a step moves the clock, so `arrange` needs the state clock"
        try:
            parse_duration(step.advance)
        except ValueError as error:
            yield str(error)
    for step in case.steps:
        counted = any(each.kind == "outcomes" for each in step.expect)
        if step.parallel > 1 and not counted:
            yield "`parallel` needs `outcomes`, which say how many requests get which status"
        if counted and len(step.sends) == 1:
            yield "`outcomes` need `parallel` or `together`, since one request has one `status`"
