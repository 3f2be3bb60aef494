"""Wrong calls of the control plane: each problem names the place and the closest word."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.live import LiveStub

from clients_register import spec
from clients_register.handlers.stub.control.plane import MAX_BODY

DOCUMENT = spec.load("control")
OPERATIONS = [
    (method.upper(), path)
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if method != "parameters"
]

WHO = {"email": "client@personas.test"}

# method, path, body, code, what the detail tells, what the hint suggests
PROBLEMS: list[tuple[str, str, Any, int, list[str], str]] = [
    ("GET", "/outbx", None, 404, ["'/outbx'"], "/outbox"),
    ("GET", "/outbox/last", None, 404, ["'/outbox/last'"], "/outbox/latest"),
    ("PUT", "/clocks", {}, 404, ["'/clocks'"], "/clock"),
    ("POST", "/clock", {}, 405, ["/clock", "GET, PUT, DELETE", "found POST"], "PUT"),
    ("GET", "/reset", None, 405, ["/reset", "expected one of POST", "found GET"], "POST"),
    ("PATCH", "/sessions/x", WHO, 405, ["/sessions/x", "found PATCH"], "PUT"),
    ("GET", "/clock?now=1", None, 400, ["query", "'now'"], "Leave the query out"),
    ("GET", "/outbox?wiat=5", None, 400, ["query", "'wiat'"], "Did you mean wait?"),
    ("GET", "/outbox?wait=5s", None, 400, ["wait", "a number", "'5s'"], "wait"),
    ("GET", "/outbox?wait=nan", None, 400, ["wait", "a number", "'nan'"], "wait"),
    ("GET", "/outbox?wait=inf", None, 400, ["wait", "a number", "'inf'"], "wait"),
    ("GET", "/outbox?wait=-1", None, 400, ["wait", "minimum 0", "'-1'"], "wait"),
    ("GET", "/outbox?wait=60.1", None, 400, ["wait", "maximum 60", "'60.1'"], "wait"),
    ("GET", "/requests?after=1.5", None, 400, ["after", "an integer", "'1.5'"], "after"),
    ("GET", "/requests?after=1_0", None, 400, ["after", "an integer", "'1_0'"], "after"),
    ("GET", "/requests?status=missing", None, 400, ["status", "'missing'"], "missing-param"),
    ("GET", "/requests/nope", None, 404, ["'default'", "'nope'"], "X-Request-Id"),
    ("GET", "/coverage?natural=maybe", None, 400, ["natural", "a boolean", "'maybe'"], "natural"),
    ("GET", "/coverage?require=comon", None, 400, ["require", "'comon'"], "Did you mean common?"),
    (
        *("GET", "/coverage?require=invalid-token,sucess", None, 400),
        *(["require", "'sucess'"], "Did you mean action-successful?"),
    ),
    ("PUT", "/clock", {}, 400, ["the body", "at least one of now, advance", "{}"], "docs"),
    ("PUT", "/clock", [], 400, ["the body", "an object", "found []"], "docs"),
    ("PUT", "/clock", {"advanse": "P1D"}, 400, ["the body", "advanse"], "Did you mean advance?"),
    ("PUT", "/clock", {"advance": "1 day"}, 400, ["advance", '"1 day"'], "P7D, PT72H"),
    ("PUT", "/clock", {"advance": 5}, 400, ["advance", "a string", "found 5"], "P7D"),
    ("PUT", "/clock", {"frozen": "yes"}, 400, ["frozen", "a boolean", '"yes"'], "is frozen"),
    ("PUT", "/clock", {"now": "today"}, 400, ["now", "ISO 8601", "'today'"], "2030-01-15T09:30"),
    ("PUT", "/clock", {"now": "2030-01-15T09:30:00"}, 400, ["now", "zone"], "T09:30:00Z"),
    (
        *("PUT", "/clock", {"now": "2030-01-15T09:30:00Z", "advance": "P1D"}, 400),
        *(["the body", "only one of now, advance"], "docs"),
    ),
    ("PUT", "/next", {"slug": "x"}, 400, ["the body", "an array", "found"], "docs"),
    ("PUT", "/next", [5], 400, ["[0]", "a string or an object", "found 5"], "A slug"),
    ("PUT", "/next", ["missing-params"], 400, ["'missing-params'"], "Did you mean missing-param?"),
    ("PUT", "/next", [{"slug": "sucess"}], 400, ["'sucess'"], "Did you mean action-successful?"),
    ("PUT", "/next", [{}], 400, ["[0]", "at least one of slug", "{}"], "docs"),
    ("PUT", "/next", [{"tims": 2}], 400, ["[0]", "'tims'"], "Did you mean times?"),
    ("PUT", "/next", [{"times": "3"}], 400, ["[0].times", "an integer", '"3"'], "How many"),
    ("PUT", "/next", [{"delay": 1}, {"times": 0}], 400, ["[1].times", "at least 1"], "How many"),
    ("PUT", "/next", [{"delay": 61}], 400, ["[0].delay", "at most 60", "found 61"], "Seconds"),
    ("PUT", "/next", [{"rate": -0.1}], 400, ["[0].rate", "at least 0", "-0.1"], "share"),
    ("PUT", "/next", [{"fault": "rest"}], 400, ["[0].fault", "slow", '"rest"'], "mean reset?"),
    ("PUT", "/next", ["x"] * 1001, 400, ["the body", "at most 1000 items"], "docs"),
    ("PUT", "/faults", {"crash": "handler"}, 400, ["crash", '"handler"'], "in-handler"),
    ("PUT", "/faults", {"mail_failure": 1}, 400, ["mail_failure"], "Did you mean mail_failures?"),
    ("PUT", "/faults", {"mail_failures": True}, 400, ["mail_failures", "found true"], "mails"),
    ("PUT", "/sessions/x", {}, 400, ["the body", "email", "{}"], "Name email"),
    ("PUT", "/sessions/x", WHO | {"state": "old"}, 400, ["state", '"old"'], "mean too-old?"),
    ("PUT", f"/sessions/{'x' * 201}", WHO, 400, ["token", "at most 200"], "docs"),
    (
        *("PUT", "/sessions/x", {"email": "client@persona.test"}, 404),
        *(["email", "'client@persona.test'"], "Did you mean client@personas.test?"),
    ),
    (
        *("PUT", "/sessions/x", WHO | {"application": "planoath"}, 404),
        *(["application", "'planoath'"], "Did you mean planoauth?"),
    ),
    ("PUT", "/clients/cliant", None, 404, ["persona", "'cliant'"], "Did you mean client?"),
    ("GET", "/outbox/latest", None, 404, ["no mail", "0 seconds"], "wait=5"),
    ("PUT", "/worlds/a.b", {}, 400, ["letters", "'a.b'"], "my-test"),
    ("PUT", "/worlds/x", {"copy": "defualt"}, 404, ["'defualt'"], "Did you mean default?"),
    ("DELETE", "/worlds/nowhere", None, 404, ["'nowhere'"], "default"),
    ("DELETE", "/worlds/default", None, 409, ["default"], "/reset"),
]


def is_problem(answer: Any) -> bool:
    """Whether `answer` is a complete problem, and cannot be mistaken for a response of the API."""
    problem = answer.json()
    return (
        answer.headers["Content-Type"] == "application/problem+json"
        and bool(answer.headers["Mock-Error"])
        and set(problem) == {"type", "title", "status", "detail", "hint"}
        and problem["status"] == answer.status_code
        and bool(problem["title"] and problem["detail"] and problem["hint"])
    )


@pytest.mark.parametrize(
    "row", PROBLEMS, ids=lambda row: f"{row[0]} {row[1][:30]} {str(row[2])[:30]}"
)
def test_a_slip_is_told_with_place_found_and_the_closest_word(
    shared_stub: LiveStub, row: tuple[str, str, Any, int, list[str], str]
) -> None:
    method, path, body, code, told, hint = row
    answer = shared_stub.control(method, path, body)
    assert (answer.status_code, is_problem(answer)) == (code, True)
    problem = answer.json()
    assert [word for word in told if word not in problem["detail"]] == []
    assert hint in problem["hint"]


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"\xff\xfe\xfd",
        b"frozen=true",
        b'{"advance": NaN}',
        b"[" * 100_000,
        b'{"now": ' + b"9" * 5000 + b"}",
        b"{} {}",
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_a_body_that_is_no_json_is_told_so(shared_stub: LiveStub, raw: bytes) -> None:
    answer = shared_stub.http.put(shared_stub.at("/_mock/clock"), content=raw)
    assert (answer.status_code, is_problem(answer)) == (400, True)
    assert "expected JSON" in answer.json()["detail"]


@pytest.mark.parametrize(("size", "code"), [(MAX_BODY, 200), (MAX_BODY + 1, 413)])
def test_a_body_of_more_than_a_mebibyte_is_too_large(
    shared_stub: LiveStub, world: str, size: int, code: int
) -> None:
    url = shared_stub.at("/_mock/faults", world)
    answer = shared_stub.http.put(url, content=b"{}".ljust(size))
    assert answer.status_code == code
    assert code == 200 or is_problem(answer)


def test_the_methods_that_a_path_has_are_in_the_header_for_it(shared_stub: LiveStub) -> None:
    answer = shared_stub.control("POST", "/next")
    assert answer.headers["Allow"] == "GET, PUT, DELETE"


def test_a_long_value_is_not_told_whole(shared_stub: LiveStub) -> None:
    answer = shared_stub.control("PUT", "/clock", {"advance": "x" * 5000})
    assert len(answer.json()["detail"]) < 200


def test_a_hint_does_not_list_all_of_many(stub: LiveStub) -> None:
    for number in range(40):
        stub.control("GET", "/health", world=f"World-{number}")
    hint = stub.control("DELETE", "/worlds/World-x").json()["hint"]
    assert "Did you mean World-" in hint
    assert "and 17 more" in hint


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_operation_takes_a_query_that_is_not_its_own(
    shared_stub: LiveStub, method: str, path: str
) -> None:
    answer = shared_stub.control(method, f"{path}?unheard-of=1", {})
    assert (answer.status_code, is_problem(answer)) == (400, True)
    assert answer.headers["Mock-Error"] == "unknown-query"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["now", "advance", "frozen", "slug", "times", "email", "copy", "crash"])
            | st.text(),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
WRITING = [
    each for each in OPERATIONS if "requestBody" in DOCUMENT["paths"][each[1]].get("put", {})
]


@given(operation=st.sampled_from([path for method, path in WRITING if method == "PUT"]), body=JSON)
def test_whatever_is_written_is_taken_or_told_wrong(
    shared_stub: LiveStub, operation: str, body: object
) -> None:
    path = operation.format(token="t", name="scratch")
    answer = shared_stub.control("PUT", path, body, world="scratch-of-writes")
    assert answer.status_code == 200 or (400 <= answer.status_code < 500 and is_problem(answer))
    shared_stub.control("POST", "/reset", world="scratch-of-writes")
