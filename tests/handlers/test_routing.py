"""Routing, once Connexion was asked for a path and what it found is kept."""

import pytest
from support.live import Live, registration


@pytest.mark.parametrize("path", ["/clients/register/", "/clients/register/more", "/clients"])
def test_a_path_that_was_found_before_is_no_other_path(shared: Live, email: str, path: str) -> None:
    body = registration(email)
    assert [shared.post(body).json()["code"] for _ in range(2)] == [200, 400]
    answer = shared.http.post(f"{shared.origin}/api/v1{path}")
    assert answer.json() == {"code": 500, "status": "route-non-existent"}


def test_a_path_that_was_found_before_has_no_other_method(shared: Live, email: str) -> None:
    assert shared.register(email)["code"] == 200
    answers = [shared.http.get(f"{shared.origin}/api/v1/clients/register").json() for _ in range(2)]
    assert answers == [{"code": 500, "status": "route-non-existent"}] * 2
