"""Requests that are hardly HTTP: what they never do to the server that is explored."""

import pytest
from hypothesis import given

from clients_register.conformance.fuzz.raw_requests import Edit, MalformedHttp, malformed_http

PREFIX = "/_world/fuzz-1"


def written(head: MalformedHttp) -> bytes:
    return b"".join(head.pieces(PREFIX, "/api/v1/clients/register", "127.0.0.1"))


@pytest.mark.parametrize("place", range(len("POST /_world/fuzz-1/")))
def test_a_byte_that_is_lost_makes_no_name_of_another_world(place: int) -> None:
    share = place / len(written(MalformedHttp((), (), False)))
    _, *named = written(MalformedHttp((Edit(share, 1, b""),), (), False)).split(b"/_world/")
    assert all(each.startswith(b"fuzz-1/") for each in named)


@given(malformed_http())
def test_a_request_whose_line_begins_right_goes_to_the_world_that_is_explored(
    head: MalformedHttp,
) -> None:
    whole = written(head)
    if whole.startswith(b"POST /"):
        assert whole.startswith(f"POST {PREFIX}/".encode())
