"""The document is valid, complete, and agrees with itself, in both editions."""

import base64
import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
from openapi_spec_validator import validate
from support.exchanges import request_examples, resolved, response_examples, schema_errors, schemas

from clients_register import spec
from clients_register.spec.schemas import operation, parameters, to_openapi_3_1
from clients_register.spec.statuses import load_statuses

OLDER = spec.load("openapi")
NEWER = to_openapi_3_1(OLDER)

both = pytest.mark.parametrize("document", [OLDER, NEWER], ids=["3.0", "3.1"])

# The table of parameters on the owner's page, and the token that its sibling pages list.
NAMES = {
    "view",
    "application",
    "enterprise",
    "client",
    "client.email",
    "client.password",
    "client.first_name",
    "client.last_name",
    "client.phone",
    "client.company_id",
    "client.company_name",
    "application_view",
    "session_view",
    "token",
}


@both
def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_it_describes_one_route() -> None:
    assert [(path, list(item)) for path, item in OLDER["paths"].items()] == [
        ("/clients/register", ["post"])
    ]


def test_it_has_every_parameter_of_the_route_and_no_other() -> None:
    assert {parameter.path for parameter in parameters(OLDER)} == NAMES


def test_it_has_eighteen_statuses() -> None:
    assert len(list(load_statuses())) == 18


@both
def test_each_status_is_a_named_example_on_its_code(document: dict[str, Any]) -> None:
    examples = [(name, code) for code, name, _, _ in response_examples(document)]
    assert sorted(examples) == sorted((row.slug, str(row.code)) for row in load_statuses())


@both
def test_each_answer_is_valid_under_its_schema(document: dict[str, Any]) -> None:
    found = {
        name: schema_errors(document, schema, value)
        for _, name, value, schema in response_examples(document)
    }
    assert found == {row.slug: [] for row in load_statuses()}


@both
def test_the_statuses_of_a_code_are_an_enum(document: dict[str, Any]) -> None:
    for code, response in operation(document)["responses"].items():
        (content,) = response["content"].values()
        schema = resolved(document, content["schema"])
        enums = [each["properties"]["status"]["enum"] for each in schema.get("oneOf", [schema])]
        slugs = sorted(slug for enum in enums for slug in enum)
        assert slugs == sorted(row.slug for row in load_statuses() if str(row.code) == code)


@both
@pytest.mark.parametrize("row", list(load_statuses()), ids=lambda row: row.slug)
def test_an_answer_holds_what_its_row_says_and_nothing_more(
    document: dict[str, Any], row: Any
) -> None:
    (found,) = (each for each in response_examples(document) if each[1] == row.slug)
    _, _, value, schema = found
    assert value.keys() == {"code", "status", *row.carries}
    assert (value["code"], value["status"]) == (row.code, row.slug)
    for key in value:
        assert schema_errors(document, schema, {k: v for k, v in value.items() if k != key}) != []
    assert schema_errors(document, schema, value | {"message": "more"}) != []


@both
def test_every_object_of_an_answer_is_closed(document: dict[str, Any]) -> None:
    answers = resolved(document, operation(document)["responses"])
    objects = [(at, each) for at, each in schemas(answers) if each["type"] == "object"]
    assert len(objects) > 5
    assert [at for at, each in objects if each.get("additionalProperties") is not False] == []


def decoded(example: Mapping[str, Any]) -> Any:
    return json.loads(base64.b64decode(example["value"], validate=True))


@both
def test_each_request_example_is_base64_of_what_is_shown_beside_it(
    document: dict[str, Any],
) -> None:
    examples = list(request_examples(document))
    assert len(examples) >= 4
    for _, example, _ in examples:
        assert decoded(example) == example["x-decoded"]


def test_each_request_example_decodes_to_the_decoded_schema() -> None:
    for _, example, schema in request_examples(OLDER):
        assert schema_errors(OLDER, schema, example["value"]) == []
        assert schema_errors(OLDER, schema["x-decoded-schema"], decoded(example)) == []


def test_each_request_example_decodes_by_the_keywords_of_the_newer_edition() -> None:
    for _, example, schema in request_examples(NEWER):
        assert schema["contentEncoding"] == "base64"
        assert schema["contentMediaType"] == "application/json"
        assert schema_errors(NEWER, schema["contentSchema"], decoded(example)) == []


@both
@pytest.mark.parametrize(
    "change",
    [
        {"application": None},
        {"client": None},
        {"client": {"email": "a@b.test"}},
        {"client": {"email": "a@b.test", "password": "x" * 73}},
        {"client": {"email": f"{'a' * 250}@b.test", "password": "x"}},
        {"enterprise": "yes"},
        {"view": 5},
    ],
    ids=str,
)
def test_the_decoded_schema_refuses_what_the_route_refuses(
    document: dict[str, Any], change: dict[str, Any]
) -> None:
    name, example, schema = next(request_examples(document))
    inner = schema.get("x-decoded-schema") or schema["contentSchema"]
    assert schema_errors(document, inner, example["x-decoded"] | change) != [], name


def test_each_parameter_says_why_it_is_believed() -> None:
    decoded_schema = resolved(OLDER, OLDER["components"]["schemas"]["Registration"])
    members = decoded_schema["properties"] | decoded_schema["properties"]["client"]["properties"]
    assert len(members) == len(NAMES)
    assert [name for name, schema in members.items() if not schema.get("x-evidence")] == []


def test_each_schema_of_an_answer_says_why_it_is_believed() -> None:
    # A view's own schema is part of ClientInSomeView, an id of every object that has one.
    without = {
        name
        for name, schema in OLDER["components"]["schemas"].items()
        if "x-evidence" not in schema
    }
    described_elsewhere = {
        reference["$ref"].rpartition("/")[2]
        for reference in OLDER["components"]["schemas"]["ClientInSomeView"]["anyOf"]
    }
    assert without - described_elsewhere == {"Id", "Registration"}


def test_each_row_says_why_its_slug_and_its_code_are_believed() -> None:
    grades = {"documented", "family", "decided"}
    for row in load_statuses():
        assert row.evidence.keys() >= {"slug", "code"}
        assert {evidence["grade"] for evidence in row.evidence.values()} <= grades


def test_the_views_of_a_client_are_the_representations_of_an_answer() -> None:
    views = {each["$ref"] for each in OLDER["x-views"]["client"].values()}
    answers = {each["$ref"] for each in OLDER["components"]["schemas"]["ClientInSomeView"]["anyOf"]}
    assert views == answers


def test_the_newer_edition_leaves_the_older_as_it_was() -> None:
    before = copy.deepcopy(OLDER)
    to_openapi_3_1(OLDER)
    assert before == OLDER


def test_the_newer_edition_has_no_word_that_only_the_older_knows() -> None:
    text = json.dumps(NEWER)
    for word in ('"nullable"', '"format": "byte"', '"x-decoded-schema"'):
        assert word in json.dumps(OLDER)
        assert word not in text
