"""The control plane and its document: each operation is there, and answers as it is written."""

from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate
from support.exchanges import resolved, schema_errors
from support.live import LiveStub, registration

from clients_register import spec
from clients_register.spec.schemas import to_openapi_3_1

OLDER = spec.load("control")
NEWER = to_openapi_3_1(OLDER)
OPERATIONS = [
    pytest.param(path, method, id=item[method]["operationId"])
    for path, item in OLDER["paths"].items()
    for method in item
    if method != "parameters"
]
# The keys that an answer of the API may have.
ENVELOPE = {"status", "code", "data", "session", "application", "errors"}

WHO = "someone@tests.test"

# Bodies for operations whose examples do not fit, or that have none.
BODIES: dict[str, object] = {"/worlds/{name}": {"copy": "default"}}


@pytest.mark.parametrize("document", [OLDER, NEWER], ids=["3.0", "3.1"])
def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


@pytest.mark.parametrize("name", ["openapi", "openapi-3.1", "control"])
def test_each_document_is_there_in_yaml_and_in_json(shared_stub: LiveStub, name: str) -> None:
    in_yaml, in_json = (
        shared_stub.http.get(shared_stub.at(f"/_mock/{name}.{form}")) for form in ("yaml", "json")
    )
    assert in_yaml.headers["Content-Type"] == "application/yaml"
    assert in_json.headers["Content-Type"] == "application/json"
    assert yaml.safe_load(in_yaml.text) == in_json.json()
    assert in_json.json()["openapi"].startswith("3.")


def bodies(operation: Any) -> dict[str, Any]:
    """The examples of an operation's request body: name -> value."""
    if "requestBody" not in operation:
        return {}
    content = operation["requestBody"]["content"]["application/json"]
    return {name: each["value"] for name, each in content.get("examples", {}).items()}


EXAMPLES = [
    pytest.param(path, method, name, id=f"{item[method]['operationId']}-{name}")
    for path, item in OLDER["paths"].items()
    for method in item
    if method != "parameters"
    for name in bodies(item[method])
]


@pytest.mark.parametrize("document", [OLDER, NEWER], ids=["3.0", "3.1"])
@pytest.mark.parametrize(("path", "method", "name"), EXAMPLES)
def test_each_example_of_a_body_is_valid_under_its_schema(
    document: dict[str, Any], path: str, method: str, name: str
) -> None:
    operation = document["paths"][path][method]
    content = operation["requestBody"]["content"]["application/json"]
    assert schema_errors(document, content["schema"], bodies(operation)[name]) == []


@pytest.fixture
def lived_in(shared_stub: LiveStub, world: str) -> dict[str, str]:
    """The state of `world` after all sorts of things happened; the parts of a path there."""
    answer = shared_stub.sent(registration(WHO, client={"first_name": "Ada"}), world)
    request_id = answer.headers["X-Request-Id"]
    shared_stub.sent(registration(WHO), world)
    shared_stub.sent({}, world)
    shared_stub.sent({}, world, {"Prefer": "example=application-crash"})
    shared_stub.http.get(shared_stub.route(world))
    shared_stub.sent({}, world, {"Prefer": "example=unheard-of"})
    shared_stub.control("PUT", "/sessions/mine", {"email": WHO, "state": "remembered"}, world)
    shared_stub.control("PUT", "/next", [{"fault": "slow", "rate": 0.5}, "missing-param"], world)
    shared_stub.control("PUT", "/faults", {"crash": "in-handler", "mail_failures": 2}, world)
    shared_stub.control("PUT", "/clock", {"advance": "P1D", "frozen": True}, world)
    shared_stub.control("PUT", "/snapshots/kept", world=world)
    return {
        "persona": "client",
        "token": "mine",
        "id": request_id,
        "name": f"{world}-copy",
        "world": world,
    }


def called(stub: LiveStub, parts: dict[str, str], path: str, method: str) -> Any:
    """The answer to an operation in the world that `parts` are of."""
    filled = path.format(**parts)
    operation = OLDER["paths"][path][method]
    body = BODIES.get(path, next(iter(bodies(operation).values()), None))
    if path == "/clock" and method == "put":
        body = {"frozen": False}
    if method == "delete" and "{name}" in path:
        stub.control("PUT", filled, {}, parts["world"])
    return stub.control(method.upper(), filled, body, parts["world"])


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_each_operation_is_there_and_answers_as_the_document_has_it(
    shared_stub: LiveStub, lived_in: dict[str, str], path: str, method: str
) -> None:
    answer = called(shared_stub, lived_in, path, method)
    responses = resolved(OLDER, OLDER["paths"][path][method]["responses"])
    assert answer.status_code in (200, 204)
    response = responses[str(answer.status_code)]
    if "content" not in response:
        assert answer.content == b""
        return
    assert answer.headers["Content-Type"] == "application/json"
    schema = response["content"]["application/json"]["schema"]
    assert schema_errors(OLDER, schema, answer.json()) == []
    assert answer.json() != [] or path == "/next"


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_answer_of_the_control_plane_is_an_envelope(
    shared_stub: LiveStub, lived_in: dict[str, str], path: str, method: str
) -> None:
    answer = called(shared_stub, lived_in, path, method)
    shown = answer.json() if answer.content else None
    assert not isinstance(shown, dict) or not set(shown) <= ENVELOPE
    assert "X-Request-Id" not in answer.headers
    assert "Mock-Forced" not in answer.headers


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_is_shown_is_never_an_old_copy(
    shared_stub: LiveStub, lived_in: dict[str, str], path: str, method: str
) -> None:
    assert called(shared_stub, lived_in, path, method).headers["Cache-Control"] == "no-store"


def test_a_problem_is_as_the_document_has_it(shared_stub: LiveStub) -> None:
    answer = shared_stub.control("GET", "/outbox/latest", world="empty")
    assert schema_errors(OLDER, {"$ref": "#/components/schemas/Problem"}, answer.json()) == []


def test_what_is_not_covered_is_a_409_in_the_schema_of_coverage(
    shared_stub: LiveStub, world: str
) -> None:
    answer = shared_stub.control("GET", "/coverage?require=all", world=world)
    assert answer.status_code == 409
    assert schema_errors(OLDER, {"$ref": "#/components/schemas/Coverage"}, answer.json()) == []
