"""The document decides: what is changed there, and only there, changes the server."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from support.live import Live, altered, registration

from clients_register import spec
from clients_register.handlers import rules
from clients_register.spec.schemas import media_type, operation, parameters, views
from clients_register.spec.statuses import SpecError, StatusTable

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    """The shipped document, to be changed."""
    return copy.deepcopy(spec.load("openapi"))


@pytest.fixture
def by(start: Callable[..., Live]) -> Callable[[Document], Live]:
    """Starts a server by another document."""

    def started(document: Document) -> Live:
        return start(
            alter=altered(
                statuses=StatusTable.from_document(document),
                media_type=media_type(document),
                parameters=parameters(document),
                views=views(document),
            )
        )

    return started


def row(document: Document, slug: str) -> dict[str, Any]:
    (found,) = (entry for entry in document["x-statuses"] if entry["slug"] == slug)
    assert isinstance(found, dict)
    return found


def test_a_status_is_called_and_coded_as_its_row_says(
    document: Document, by: Callable[[Document], Live], email: str
) -> None:
    taken = row(document, "email-already-registered")
    taken |= {"slug": "address-in-use", "code": 409}
    row(document, "email-already-registerd")["alias_of"] = "address-in-use"
    live = by(document)
    live.register(email)
    answer = live.post(registration(email))
    assert (answer.status_code, answer.json()["code"]) == (409, 409)
    assert answer.json()["status"] == "address-in-use"


def test_a_fact_answers_with_the_row_that_names_it(
    document: Document, by: Callable[[Document], Live]
) -> None:
    row(document, "invalid-param")["rules"].remove("email_is_well_formed")
    row(document, "client-validation-failed")["rules"].append("email_is_well_formed")
    assert by(document).register("malformed")["status"] == "client-validation-failed"


def test_an_envelope_carries_what_its_row_says(
    document: Document, by: Callable[[Document], Live], email: str
) -> None:
    row(document, "action-successful")["carries"] = ["data"]
    assert by(document).register(email).keys() == {"code", "status", "data"}


def test_a_length_is_the_one_of_the_schema(
    document: Document, by: Callable[[Document], Live], email: str
) -> None:
    document["components"]["schemas"]["NewClient"]["properties"]["phone"]["maxLength"] = 3
    live = by(document)
    assert live.register(email, client={"phone": "1234"})["errors"] == [
        {"attr": "client.phone", "message": "too_long"}
    ]
    assert live.register(email, client={"phone": "123"})["code"] == 200


def test_what_is_required_is_what_the_schema_requires(
    document: Document, by: Callable[[Document], Live], email: str
) -> None:
    schemas = document["components"]["schemas"]
    schemas["Registration"]["required"].append("view")
    schemas["NewClient"]["required"].append("phone")
    live = by(document)
    assert live.register(email)["errors"] == [{"attr": "view", "message": "missing"}]
    assert live.register(email, view="default")["errors"] == [
        {"attr": "client.phone", "message": "missing"}
    ]


def test_a_view_shows_what_its_schema_lists(
    document: Document, by: Callable[[Document], Live], email: str
) -> None:
    document["x-views"]["client"]["tiny"] = {"properties": {"phone": {}, "email": {}}}
    data = by(document).register(email, view="tiny")["data"]
    assert list(data.items()) == [("phone", None), ("email", email)]


def test_the_media_type_is_the_one_of_the_body(
    document: Document, by: Callable[[Document], Live]
) -> None:
    content = operation(document)["requestBody"]["content"]
    content["Application/X-Sensitive"] = content.pop("text/plain")
    live = by(document)
    assert live.send(b"", "text/plain").json()["status"] == "invalid-content-type"
    assert live.send(b"", "application/x-sensitive").json()["status"] == "no-params-decoded"


def test_a_fact_that_no_rule_tells_is_found_at_start(document: Document) -> None:
    row(document, "invalid-param")["rules"].append("moon_is_full")
    with pytest.raises(SpecError, match="names rules that do not exist: moon_is_full"):
        rules.check_statuses(StatusTable.from_document(document))


def test_a_rule_that_no_row_names_is_found_at_start(document: Document) -> None:
    row(document, "invalid-param")["rules"].remove("company_is_known")
    with pytest.raises(SpecError, match="no row for these rules: company_is_known"):
        rules.check_statuses(StatusTable.from_document(document))
