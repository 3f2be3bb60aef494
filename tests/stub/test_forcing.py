"""Every status at will, by header, by script and by address."""

import json
from typing import Any

import pytest
from support.live import LiveStub, registration

from clients_register import spec
from clients_register.spec.schemas import operation
from clients_register.spec.statuses import load_statuses

STATUSES = list(load_statuses())
EXAMPLES = {
    name: example["value"]
    for response in operation(spec.load("openapi"))["responses"].values()
    for content in response["content"].values()
    for name, example in content["examples"].items()
}

each = pytest.mark.parametrize("row", STATUSES, ids=lambda row: row.slug)


def forced(answer: Any, how: str) -> Any:
    """The envelope of `answer`, which says that it was forced, and `how`."""
    assert answer.headers["Mock-Forced"] == how
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Request-Id"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    envelope = answer.json()
    assert envelope["code"] == answer.status_code
    return envelope


def earned(answer: Any) -> Any:
    """The envelope of `answer`, which the real rules gave."""
    assert "Mock-Forced" not in answer.headers
    return answer.json()


@each
def test_a_header_forces_any_status(shared_stub: LiveStub, world: str, row: Any) -> None:
    answer = shared_stub.sent({}, world, {"Prefer": f"example={row.slug}"})
    assert forced(answer, "prefer") == EXAMPLES[row.slug]
    assert answer.headers["Preference-Applied"] == f"example={row.slug}"


@each
def test_a_script_forces_any_status(shared_stub: LiveStub, world: str, row: Any) -> None:
    shared_stub.control("PUT", "/next", [row.slug], world)
    assert forced(shared_stub.sent({}, world), "script") == EXAMPLES[row.slug]


@pytest.mark.parametrize("shape", ["{}@status.test", "me+{}@status.test", " A+b+{}@STATUS.test\n"])
@each
def test_an_address_forces_any_status(
    shared_stub: LiveStub, world: str, row: Any, shape: str
) -> None:
    params = {"enterprise": "no boolean", "client": {"email": shape.format(row.slug)}}
    assert forced(shared_stub.sent(params, world), "address") == EXAMPLES[row.slug]


def test_another_domain_can_be_the_magic_one(start_stub: Any) -> None:
    stub = start_stub(status_domain="forms.example.com")
    assert stub.registered("missing-param@forms.example.com") == "missing-param"
    assert stub.registered("mandrill-email-failed@status.test") == "action-successful"


@pytest.mark.parametrize(
    ("prefer", "slug"),
    [
        ("code=401", "invalid-token"),
        ("code=500", "identify-request-error"),
        ("code=400, example=missing-param", "missing-param"),
        ("example=missing-param;x=y, code=400", "missing-param"),
        ('example="missing-param"', "missing-param"),
        ("Example = missing-param", "missing-param"),
        ("respond-async, example=missing-param", "missing-param"),
        ("example=missing-param, example=invalid-param", "missing-param"),
        ('a="b, c", example=missing-param', "missing-param"),
        ('a; b="\\", c", example=missing-param', "missing-param"),
        ('example="missing\\-param"; a ;; b = "c"', "missing-param"),
        (", ,example=missing-param,", "missing-param"),
        ("a=b c, example=missing-param", "missing-param"),
        ("wait = 0 ; a, code\t=\t500", "identify-request-error"),
    ],
)
def test_a_preference_is_read_as_rfc_7240_writes_it(
    shared_stub: LiveStub, world: str, prefer: str, slug: str
) -> None:
    assert forced(shared_stub.sent({}, world, {"Prefer": prefer}), "prefer")["status"] == slug


def test_preferences_may_stand_in_several_headers(shared_stub: LiveStub, world: str) -> None:
    headers = [("Prefer", "code=400"), ("Prefer", "example=invalid-param")]
    answer = shared_stub.http.post(shared_stub.route(world), headers=headers)
    assert answer.json()["status"] == "invalid-param"
    assert answer.headers["Preference-Applied"] == "code=400, example=invalid-param"


@pytest.mark.parametrize(
    "prefer",
    [
        "respond-async",
        "handling=lenient",
        "return=minimal",
        "",
        'respond-async; note="x, code=500"',
        '"code=500"',
        'a="b, code=500',
        "a=b c code=500",
        "a; code=500",
        'a="\\", code=500"',
        "a;b=c,;code=500",
        "=, (code=500)",
    ],
)
def test_preferences_that_are_not_the_stubs_are_ignored(
    shared_stub: LiveStub, world: str, prefer: str
) -> None:
    answer = shared_stub.sent({}, world, {"Prefer": prefer})
    assert earned(answer)["status"] == "no-params-decoded"
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize(
    ("prefer", "kind", "words"),
    [
        ("example=sesion-expired", "unknown-status", ["sesion-expired", "mean session-expired?"]),
        ("example=", "unknown-status", ["There are", "mandrill-email-failed"]),
        ("code=404", "unknown-code", ["404", "200, 400, 401, 500"]),
        ("code=200, example=missing-param", "contradicting-preferences", ["400", "200"]),
        ("wait=61", "unusable-wait", ["0 to 60", "61"]),
        ("wait=-1", "unusable-wait", ["0 to 60"]),
        ("wait=long", "unusable-wait", ["0 to 60", "long"]),
        ("code 500", "unusable-preference", ["code=VALUE", "code 500"]),
        ("a, example=missing param", "unusable-preference", ["example=missing param", "quoted"]),
        ('wait="1', "unusable-preference", ["wait=VALUE", 'wait="1']),
    ],
)
def test_what_the_stub_cannot_do_is_a_problem_with_a_hint(
    shared_stub: LiveStub, world: str, prefer: str, kind: str, words: list[str]
) -> None:
    answer = shared_stub.sent(registration("a@b.test"), world, {"Prefer": prefer})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Mock-Error"] == kind
    problem = answer.json()
    told = f"{problem['detail']} {problem['hint']}"
    assert [word for word in words if word not in told] == []


def test_a_wait_alone_delays_the_real_answer(shared_stub: LiveStub, world: str) -> None:
    answer = shared_stub.sent({}, world, {"Prefer": "wait=0.2"})
    assert earned(answer)["status"] == "no-params-decoded"
    assert answer.headers["Preference-Applied"] == "wait=0.2"
    (entry,) = shared_stub.control("GET", "/requests", world=world).json()
    assert entry["milliseconds"] >= 200


def test_the_header_comes_before_the_script_and_the_script_before_the_address(
    shared_stub: LiveStub, world: str
) -> None:
    shared_stub.control("PUT", "/next", ["invalid-token"], world)
    params = registration("missing-param@status.test")
    statuses = [
        shared_stub.sent(params, world, headers).json()["status"]
        for headers in ({"Prefer": "example=application-crash"}, {}, {})
    ]
    assert statuses == ["application-crash", "invalid-token", "missing-param"]


def test_a_forced_answer_leaves_nothing_and_does_not_leak_into_the_next(
    shared_stub: LiveStub, world: str, email: str
) -> None:
    params = registration(email)
    shared_stub.sent(params, world, {"Prefer": "example=action-successful"})
    shared_stub.control("PUT", "/next", ["action-successful"], world)
    shared_stub.sent(params, world)
    shared_stub.sent(registration("action-successful@status.test"), world)
    assert shared_stub.control("GET", f"/clients?email={email}", world=world).json() == []
    assert shared_stub.control("GET", "/outbox", world=world).json() == []
    assert earned(shared_stub.sent(params, world))["status"] == "action-successful"


@pytest.mark.files
def test_a_header_forced_answer_makes_no_file(shared_stub: LiveStub, world: str) -> None:
    shared_stub.sent({}, world, {"Prefer": "example=missing-param"})
    worlds = {each["name"]: each for each in shared_stub.control("GET", "/worlds").json()}
    assert worlds[world]["clients"] is None
    folder = shared_stub.settings.data_file.with_name("data.json.worlds")
    assert not (folder / f"{world}.json").exists()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"client": {"email": "missing-param@status.test"}}'),
        ("text/plain", b'{"client": {"email": "missing-param@status.test"}}'),
    ],
)
def test_an_address_in_a_body_that_does_not_decode_is_not_seen(
    shared_stub: LiveStub, world: str, content_type: str, body: bytes
) -> None:
    answer = shared_stub.http.post(
        shared_stub.route(world), content=body, headers={"Content-Type": content_type}
    )
    assert earned(answer)["code"] == 400


@pytest.mark.parametrize(
    "address",
    ["missing-param@status.test.test", "missing-param@sub.status.test", "status.test@tests.test"],
)
def test_an_address_of_another_domain_is_an_address(
    shared_stub: LiveStub, world: str, address: str
) -> None:
    assert earned(shared_stub.sent(registration(address), world))["code"] == 200


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("sesion-expired@status.test", ["'sesion-expired'", "mean session-expired?"]),
        ("missing-param+sesion-expired@Status.test", ["'sesion-expired'"]),
        ("ada@status.test", ["'ada'", "There are", "another domain"]),
    ],
)
def test_a_magic_address_that_names_no_status_is_a_problem_with_a_hint(
    shared_stub: LiveStub, world: str, address: str, words: list[str]
) -> None:
    answer = shared_stub.sent(registration(address), world)
    assert (answer.status_code, answer.headers["Mock-Error"]) == (400, "unknown-status")
    told = f"{answer.json()['detail']} {answer.json()['hint']}"
    assert [word for word in words if word not in told] == []
    (entry,) = shared_stub.control("GET", "/requests", world=world).json()
    assert (entry["status"], entry["code"]) == (None, 400)


@pytest.mark.parametrize("address", ["a@b@status.test", "@status.test", "a b@status.test"])
def test_a_malformed_address_of_the_magic_domain_is_left_to_the_rules(
    shared_stub: LiveStub, world: str, address: str
) -> None:
    answer = earned(shared_stub.sent(registration(address), world))
    assert answer["errors"] == [{"attr": "client.email", "message": "malformed"}]


@pytest.mark.parametrize("path", ["/api/v1/clients", "/nowhere"])
def test_other_paths_cannot_be_forced(shared_stub: LiveStub, world: str, path: str) -> None:
    shared_stub.control("PUT", "/next", ["missing-param"], world)
    answer = shared_stub.http.post(
        shared_stub.at(path, world), headers={"Prefer": "example=invalid-param"}
    )
    assert earned(answer)["status"] == "route-non-existent"
    assert len(shared_stub.control("GET", "/next", world=world).json()) == 1


def test_a_reference_server_cannot_be_forced(start: Any) -> None:
    live = start(reference=True)
    answer = live.send(b"", Prefer="example=session-expired")
    assert earned(answer)["status"] == "no-params-decoded"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert live.register("missing-param@status.test")["status"] == "action-successful"


def test_the_request_log_shows_the_parameters_of_a_forced_request(
    shared_stub: LiveStub, world: str
) -> None:
    shared_stub.control("PUT", "/next", ["missing-param"], world)
    shared_stub.sent(registration("who@ever.test"), world)
    (entry,) = shared_stub.control("GET", "/requests", world=world).json()
    assert (entry["forced"], entry["status"]) == ("script", "missing-param")
    assert entry["params"]["client"]["email"] == "who@ever.test"
    assert "correct horse" not in json.dumps(entry)


@pytest.mark.parametrize("name", ["code", "example", "wait"])
def test_a_problem_quotes_only_the_beginning_of_a_long_value(
    shared_stub: LiveStub, world: str, name: str
) -> None:
    answer = shared_stub.sent({}, world, {"Prefer": f"{name}={'a' * 10_000}"})
    assert answer.status_code == 400
    assert len(answer.content) < 1000
