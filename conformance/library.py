"""The cases, as their files hold them; a faulty file is told of before anything is sent."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import jsonschema
import yaml

from clients_register import spec
from clients_register.conformance.duration import seconds
from clients_register.conformance.model import CORE, Case, Expectation, Send, Step
from clients_register.conformance.verdicts import Grade
from clients_register.spec.statuses import StatusTable, load_statuses

# Every id that was ever used, one a line; an id that no case has any more is marked.
LOCK = "ids.lock"
RETIRED = " retired"
RELOCK = "`clients-register list --write-lock`"

LAYERS = ("params", "json", "text", "text_hex")

# What an expectation may begin with; its other keys are the terms of that one.
KINDS = (
    "status",
    "code",
    "errors",
    "errors_of",
    "at",
    "header",
    "body",
    "stored",
    "mailed",
    "outcomes",
)


class CaseError(ValueError):
    """Case files cannot be used; the message has one line for each fault: where, and what."""


@cache
def shipped() -> tuple[Case, ...]:
    """The cases of this package, in the order of their files. Raises CaseError."""
    return read(_texts(), load_statuses(), _lock(files(__package__) / LOCK))


def new_lock() -> str:
    """What the lock file has to be for the cases of this package. Raises CaseError."""
    locked = _lock(files(__package__) / LOCK)
    used = {case.id for case in read(_texts(), load_statuses(), {})}
    lines = (f"{each}{'' if each in used else RETIRED}" for each in sorted(used | {*locked}))
    return "".join(f"{line}\n" for line in lines)


def read(
    texts: Mapping[str, str], known: StatusTable, locked: Mapping[str, bool]
) -> tuple[Case, ...]:
    """The cases in files, given as name -> text. Raises CaseError with all that is wrong.

    `locked` are the ids that were ever used -> whether a case has it now.
    """
    faults: list[str] = []
    cases: list[Case] = []
    validator = jsonschema.Draft202012Validator(_schema())
    for name, text in texts.items():
        try:
            written = spec.parse(text)
        except yaml.YAMLError as error:
            faults.append(f"{name}: no YAML: {error}")
            continue
        wrong = [_told(name, each) for each in validator.iter_errors(written)]
        faults += wrong
        if not wrong:
            cases += (_case(written["area"], each) for each in written["cases"])
    faults += _consistency(cases, known, locked)
    if faults:
        raise CaseError("\n".join(faults))
    return tuple(cases)


def chosen(cases: Sequence[Case], patterns: Sequence[str]) -> list[Case]:
    """The cases whose id, area, or requirement fits one of the globs; all if there are none."""
    if not patterns:
        return list(cases)

    def fits(case: Case) -> bool:
        names = (case.id, case.area, *case.requires, *case.questions)
        return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)

    return [case for case in cases if fits(case)]


def _texts() -> dict[str, str]:
    return {
        each.name: each.read_text("utf-8")
        for each in sorted((files(__package__) / "cases").iterdir(), key=lambda each: each.name)
        if each.name.endswith(".yaml")
    }


def _lock(file: Traversable) -> dict[str, bool]:
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    return {line.split()[0]: not line.endswith(RETIRED) for line in lines if line.strip()}


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(
        (files(__package__) / "case.schema.json").read_text("utf-8")
    )
    return schema


def _told(name: str, fault: jsonschema.ValidationError) -> str:
    # Of an expectation that fits no shape, the shape that it nearly fits says most.
    nearest = jsonschema.exceptions.best_match([fault])
    return f"{name}, {fault.json_path}: {nearest.message if nearest else fault.message}"


def _case(area: str, written: Mapping[str, Any]) -> Case:
    return Case(
        id=written["id"],
        area=area,
        title=written["title"],
        requires=tuple(written.get("requires", ())),
        questions=tuple(written.get("questions", ())),
        claims=written.get("claims", CORE),
        arrange=tuple(written.get("arrange", ())),
        before=tuple(map(_step, written.get("before", ()))),
        send=_send(written.get("send", {})),
        parallel=written.get("parallel", 1),
        expect=tuple(map(_expectation, written.get("expect", ()))),
    )


def _step(written: Mapping[str, Any]) -> Step:
    return Step(
        send=_send(written["send"]) if "send" in written else None,
        keep=written.get("keep", {}),
        advance=written["clock"]["advance"] if "clock" in written else None,
    )


def _send(written: Mapping[str, Any]) -> Send:
    layers = [(layer, written[layer]) for layer in LAYERS if layer in written]
    plain = ("body", "body_hex", "method", "path", "headers", "chunked", "set")
    return Send(
        content=layers[0] if layers else None,
        drop=tuple(written.get("drop", ())),
        **{key: written[key] for key in plain if key in written},
    )


def _expectation(written: Mapping[str, Any]) -> Expectation:
    kind = next(kind for kind in KINDS if kind in written)
    terms = {key: value for key, value in written.items() if key != "grade"}
    return Expectation(kind, Grade(written["grade"]), terms)


def _consistency(
    cases: Sequence[Case], known: StatusTable, locked: Mapping[str, bool]
) -> Iterator[str]:
    """What no schema can say."""
    doubled = [each for each, count in Counter(case.id for case in cases).items() if count > 1]
    yield from (f"{each}: this id stands twice" for each in doubled)
    keys = {*spec.load("requirements")["requirements"], *spec.load("questions")["questions"]}
    for case in cases:
        if not case.id.startswith(f"{case.area}/"):
            yield f"{case.id}: expected an id that begins with its area, {case.area}/"
        for key in (*case.requires, *case.questions):
            if key not in keys:
                yield f"{case.id}: {key} is no requirement and no question of the spec"
        if locked and case.id not in locked:
            yield f"{case.id}: not in {LOCK}; {RELOCK} adds it"
        if locked.get(case.id) is False:
            yield f"{case.id}: this id is retired in {LOCK}; give the case another one"
        yield from (f"{case.id}: {fault}" for fault in _faults(case, known))
    used = {case.id for case in cases}
    for each, in_use in locked.items():
        if in_use and each not in used:
            yield f"{LOCK}: no case is called {each} any more; {RELOCK} marks it as retired"


def _faults(case: Case, known: StatusTable) -> Iterator[str]:
    for each in case.expect:
        slugs = [each.terms["status"], *each.terms.get("also", ())] if each.kind == "status" else []
        slugs += [*each.terms["outcomes"]] if each.kind == "outcomes" else []
        yield from (f"{slug} is no status of the spec" for slug in slugs if slug not in known.slugs)
    for step in case.before:
        if step.advance is None:
            continue
        if "clock" not in case.arrange:
            yield "a step moves the clock, so `arrange` needs the state clock"
        try:
            seconds(step.advance)
        except ValueError as error:
            yield str(error)
    if (case.parallel > 1) != any(each.kind == "outcomes" for each in case.expect):
        yield "`parallel` and `outcomes` go together"
