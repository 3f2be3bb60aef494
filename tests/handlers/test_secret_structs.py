"""What Python shows of objects with secrets, as in a log or a debugger."""

import pytest
from msgspec import Struct
from support.records import HASH, about_to_register, session, user

from clients_register.handlers.context import Request
from clients_register.handlers.decoding import Body, Params
from clients_register.handlers.models import HidesSecrets
from clients_register.handlers.sessions import Bearer
from clients_register.handlers.stub.traffic import LogEntry

SECRET = "correct-horse"

HOLDERS: list[tuple[object, str]] = [
    (user(7, "ada@x.test"), HASH),
    (about_to_register("ada@x.test"), HASH),
    (session(SECRET, 7), session(SECRET, 7).digest),
    (Bearer(SECRET, session=session(SECRET, 7)), SECRET),
    (Request("1", "text/plain", "", SECRET.encode()), SECRET),
    (Params({"token": SECRET, "client": {"password": SECRET}}), SECRET),
    (Body(SECRET.encode()), SECRET),
]


def kind(holder: object) -> str:
    return type(holder).__name__


@pytest.mark.parametrize(("holder", "secret"), HOLDERS, ids=[kind(each) for each, _ in HOLDERS])
def test_a_secret_is_not_shown(holder: object, secret: str) -> None:
    assert kind(holder) in repr(holder)
    assert secret not in repr(holder)
    if isinstance(holder, Struct):
        # `rich` calls this in place of `repr`.
        assert secret not in str(dict(holder.__rich_repr__()))


def test_an_object_that_contains_one_does_not_show_it_either() -> None:
    request = Request("1", "text/plain", "", SECRET.encode())
    assert SECRET not in repr(
        LogEntry("1", session("t", 7).created_at, "POST", "/", request=request)
    )


@pytest.mark.parametrize("secretive", HidesSecrets.__subclasses__(), ids=lambda each: each.__name__)
def test_each_secret_is_a_member(secretive: type[HidesSecrets]) -> None:
    assert secretive.SECRETS
    assert {*secretive.__struct_fields__} >= secretive.SECRETS
