"""From the owner's page to the contract and back: nothing is lost, nothing invented."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients_register import spec
from clients_register.spec.schemas import decoded_schema, parameters, resolve, severity
from clients_register.spec.statuses import load_statuses

ROOT = Path(__file__).parents[2]

KEY = re.compile(r"(?<![-\w])[RQ](?:-[A-Z0-9]+)+(?![-\w])")

SECTIONS = [
    "Route",
    "Purpose",
    "Parameters",
    "Request Body Example",
    "Responses",
    "Uncommon Responses",
]

OPENAPI = spec.load("openapi")
REQUIREMENTS: dict[str, Any] = spec.load("requirements")["requirements"]
QUESTIONS: dict[str, Any] = spec.load("questions")["questions"]
STATUSES = list(load_statuses())
PARAMETERS = parameters(OPENAPI)

# Parameters that the page does not list.
UNLISTED_PARAMETERS = {"token": "Q-TOKEN"}


def evidence(node: Any) -> Iterator[tuple[str, str]]:
    """Yields each (key, grade) in the document, at whatever depth."""
    if isinstance(node, dict):
        if set(node) == {"grade", "key"}:
            yield node["key"], node["grade"]
        for member in node.values():
            yield from evidence(member)
    elif isinstance(node, list):
        for member in node:
            yield from evidence(member)


EVIDENCE = list(evidence(OPENAPI))
IN_OPENAPI = {key for key, _ in EVIDENCE} | {status.requirement for status in STATUSES}
ON_PAGE = {key for key, written in QUESTIONS.items() if "section" in written}


def schema_of(path: str) -> dict[str, Any]:
    """The schema of the parameter at the dotted path, resolved."""
    node: Any = decoded_schema(OPENAPI)
    for name in path.split("."):
        node = node["properties"][name]
        node = resolve(OPENAPI, node["$ref"]) if "$ref" in node else node
    return dict(node)


def place(written: dict[str, Any]) -> tuple[int, int]:
    """The place of the sentence on the page: its section, and its position there, from 1."""
    return SECTIONS.index(written["section"]), written["position"]


def parameter_key(path: str) -> str:
    return "R-PARAM-" + re.sub(r"[._]", "-", path).upper()


# No list that the other tests walk through is empty


def test_there_is_something_to_trace() -> None:
    assert len(STATUSES) == 18
    assert len(PARAMETERS) == 14
    assert len(EVIDENCE) > len(IN_OPENAPI & QUESTIONS.keys()) > 30
    assert len(IN_OPENAPI & REQUIREMENTS.keys()) > 40


# Shapes


@pytest.mark.parametrize("name", ["requirements", "questions"])
def test_no_key_is_written_twice(name: str) -> None:
    written = re.findall(r"^  (\S+):$", spec.text(name), re.MULTILINE)
    assert written == list(spec.load(name)[name])


def test_keys_have_the_form_of_their_kind() -> None:
    keys = [*REQUIREMENTS, *QUESTIONS]
    assert [key for key in keys if not KEY.fullmatch(key)] == []
    assert {key[0] for key in REQUIREMENTS} == {"R"}
    assert {key[0] for key in QUESTIONS} == {"Q"}


@pytest.mark.parametrize("name", ["requirements", "questions"])
def test_lines_are_short_enough_to_read(name: str) -> None:
    assert [line for line in spec.text(name).splitlines() if len(line) > 100] == []


def test_each_requirement_is_complete() -> None:
    always = {"statement", "section", "position", "level", "grade", "testable"}
    for key, written in REQUIREMENTS.items():
        assert set(written) - {"reason", "elsewhere"} == always, key
        assert written["statement"].endswith("."), key
        assert place(written) >= (0, 1), key
        assert written["level"] in ("must", "should", "may"), key
        assert written["grade"] == "documented", key
        assert isinstance(written["testable"], bool), key


def test_a_requirement_has_a_reason_exactly_if_it_is_not_testable() -> None:
    with_reason = {key for key, written in REQUIREMENTS.items() if written.get("reason")}
    assert with_reason == {key for key, written in REQUIREMENTS.items() if not written["testable"]}


def test_what_is_testable_is_a_must() -> None:
    assert {it["level"] for it in REQUIREMENTS.values() if it["testable"]} == {"must"}


def test_each_question_is_complete() -> None:
    always = {"question", "alternatives", "choice", "because", "evidence"}
    for key, written in QUESTIONS.items():
        assert set(written) - {"apart"} - {"section", "position"} == always, key
        assert written["question"].endswith(("?", ".")), key
        assert written["alternatives"], key
        assert all(isinstance(each, str) and each for each in written["alternatives"]), key
        assert written["choice"].endswith("."), key
        assert written["because"].endswith("."), key
        assert written["evidence"] in ("documented", "family", "decided"), key
        assert "section" not in written or place(written) >= (0, 1), key


# From the page


def test_the_requirements_are_in_the_order_of_the_page() -> None:
    places = [place(written) for written in REQUIREMENTS.values()]
    assert places == sorted(places)
    assert {section for section, _ in places} == set(range(len(SECTIONS)))


def test_what_the_page_is_said_to_decide_is_on_the_page() -> None:
    documented = {key for key, it in QUESTIONS.items() if it["evidence"] == "documented"}
    assert documented
    assert documented - ON_PAGE == set()


# To the contract


def test_the_contract_refers_to_keys_that_exist() -> None:
    written = set(KEY.findall(spec.text("openapi")))
    assert written >= IN_OPENAPI
    assert written - REQUIREMENTS.keys() - QUESTIONS.keys() == set()


def test_the_contract_grades_as_the_key_is_graded() -> None:
    graded = {key: written["grade"] for key, written in REQUIREMENTS.items()}
    graded |= {key: written["evidence"] for key, written in QUESTIONS.items()}
    assert [(key, grade) for key, grade in EVIDENCE if graded[key] != grade] == []


def test_the_table_of_grades_grades_as_the_key_is_graded() -> None:
    graded = {key: written["grade"] for key, written in REQUIREMENTS.items()}
    graded |= {key: written["evidence"] for key, written in QUESTIONS.items()}
    written = list(evidence(spec.load("grades")))
    assert len(written) > 50
    assert [(key, grade) for key, grade in written if graded[key] != grade] == []


def test_the_table_of_grades_has_each_message_and_each_cause_once() -> None:
    grades = spec.load("grades")
    assert {*grades["errors"]} == {*severity(OPENAPI)}
    assert all("*" in attrs for attrs in grades["errors"].values())
    causes = [each["key"] for each in grades["causes"]]
    assert len(causes) == len({*causes})


def test_a_testable_requirement_is_in_the_contract_or_says_where_else() -> None:
    testable = {key for key, written in REQUIREMENTS.items() if written["testable"]}
    elsewhere = {key for key, written in REQUIREMENTS.items() if written.get("elsewhere")}
    assert elsewhere <= testable
    assert IN_OPENAPI & REQUIREMENTS.keys() == testable - elsewhere


def test_a_question_is_raised_somewhere_or_says_why_it_stands_apart() -> None:
    apart = {key for key, written in QUESTIONS.items() if written.get("apart")}
    assert (IN_OPENAPI | ON_PAGE) & QUESTIONS.keys() == QUESTIONS.keys() - apart


def test_each_status_has_its_requirement_and_each_such_requirement_a_status() -> None:
    expected = [f"R-STATUS-{status.slug.upper()}" for status in STATUSES]
    assert [status.requirement for status in STATUSES] == expected
    assert {key for key in REQUIREMENTS if key.startswith("R-STATUS-")} == set(expected)


def test_a_status_is_stated_with_its_slug_and_the_code_of_the_page_if_any() -> None:
    for status in STATUSES:
        statement = REQUIREMENTS[status.requirement]["statement"]
        assert f"`{status.slug}`" in statement
        documented = status.evidence["code"]["grade"] == "documented"
        assert (str(status.code) in statement) is documented, status.slug
        assert documented is not status.uncommon, status.slug


def test_each_parameter_has_its_requirement_and_each_such_requirement_a_parameter() -> None:
    listed = {it.path for it in PARAMETERS if it.path not in UNLISTED_PARAMETERS}
    named = {key for key in REQUIREMENTS if key.startswith("R-PARAM-")}
    assert named == {parameter_key(path) for path in listed}


def test_the_schema_of_a_parameter_refers_to_where_it_is_stated() -> None:
    for path in (parameter.path for parameter in PARAMETERS):
        expected = UNLISTED_PARAMETERS.get(path, parameter_key(path))
        written = {key for key, _ in evidence(schema_of(path)["x-evidence"])}
        assert expected in written, path
        stated = REQUIREMENTS[expected]["statement"] if expected in REQUIREMENTS else "`token`"
        assert f"`{path}`" in stated


# From the code


def code() -> list[Path]:
    return [
        *(path for name in ("cli", "handlers", "spec") for path in (ROOT / name).rglob("*.py")),
        *(path for path in (ROOT / "fixtures").rglob("*") if path.suffix in (".py", ".yaml")),
        ROOT / "tests" / "conftest.py",
        *(ROOT / "tests" / "support").rglob("*.py"),
    ]


def test_the_code_refers_to_keys_that_exist() -> None:
    written = {(path.name, key) for path in code() for key in KEY.findall(path.read_text("utf-8"))}
    assert len(written) > 15
    assert {it for it in written if it[1] not in REQUIREMENTS and it[1] not in QUESTIONS} == set()


@pytest.mark.parametrize("name", ["requirements", "questions"])
def test_requirements_and_questions_refer_to_keys_that_exist(name: str) -> None:
    written = set(KEY.findall(spec.text(name)))
    assert written
    assert written - REQUIREMENTS.keys() - QUESTIONS.keys() == set()
