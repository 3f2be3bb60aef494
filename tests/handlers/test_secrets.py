"""Secrets appear in no response, log or file, in whatever encoding."""

import base64
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from support.exchanges import crash_in_handler
from support.live import Live, encoded, registration
from support.store import files, tables_of, text_of

SECRET = "vG7-secret-pAssw0rd-Qz"  # long, and like nothing else that is sent
TOKEN = "tk9-secret-tOken-Wm4-and-more"
BCRYPT = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")


def traces(secret: str) -> set[str]:
    """Returns the forms of `secret` to look for: itself, and its base64 at three alignments."""
    found = {secret}
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + secret.encode()).decode()
        # The first and the last characters depend on the bytes around the secret.
        found.add(coded[4:-4])
    return found


def betrayed(secret: str, text: str) -> bool:
    return any(trace in text for trace in traces(secret))


def test_a_betrayal_would_be_noticed() -> None:
    for text in (f"x{SECRET}x", *(encoded({"x" * n: SECRET}).decode() for n in range(3))):
        assert betrayed(SECRET, text)


REQUESTS: dict[str, Callable[[str], bytes]] = {
    "a success": lambda email: encoded(registration(email, client={"password": SECRET})),
    "a taken address": lambda _: encoded(
        registration("client@personas.test", client={"password": SECRET})
    ),
    "a wrong password": lambda _: encoded(
        registration("liaison@personas.test", client={"password": SECRET})
    ),
    "too long a password": lambda email: encoded(
        registration(email, client={"password": SECRET * 4})
    ),
    "a password of a wrong type": lambda email: encoded(
        registration(email, client={"password": [SECRET]})
    ),
    "a malformed address": lambda _: encoded(registration(SECRET, client={"password": SECRET})),
    "an unknown token": lambda email: encoded(
        registration(email, token=TOKEN, client={"password": SECRET})
    ),
    "a token of a wrong type": lambda email: encoded(registration(email, token={TOKEN: SECRET})),
    "plain JSON": lambda email: json.dumps(
        registration(email, client={"password": SECRET}, token=TOKEN)
    ).encode(),
    "cut JSON": lambda email: base64.b64encode(
        json.dumps(registration(email, client={"password": SECRET})).encode()[:-2]
    ),
}


@pytest.fixture(params=["whole", "crashing"])
def server(request: pytest.FixtureRequest, start: Callable[..., Live]) -> Live:
    return start() if request.param == "whole" else start(alter=crash_in_handler)


@pytest.mark.parametrize("request_name", REQUESTS)
def test_no_secret_leaves_in_an_answer_a_log_or_the_file(
    server: Live, email: str, request_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = server.send(REQUESTS[request_name](email))
    told = answer.text + str(answer.headers)
    kept = text_of(server.settings)
    # httpx2 writes the log of this test's own client.
    logged = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("http")
    )
    for secret in (SECRET, TOKEN):
        assert not betrayed(secret, told), "in the answer"
        assert not betrayed(secret, logged), "in the log"
        assert not betrayed(secret, kept), "in the file"
    assert not BCRYPT.search(told + logged)


def holders(node: Any, path: str = "") -> set[str]:
    """The names of the members of `node` whose value looks like a bcrypt hash."""
    if isinstance(node, dict):
        return set().union(*(holders(member, key) for key, member in node.items()))
    return {path} if isinstance(node, str) and BCRYPT.search(node) else set()


def test_a_hash_stands_in_the_file_where_it_belongs_and_nowhere_else(
    live: Live, email: str
) -> None:
    live.register(email)
    assert holders(tables_of(live.settings)) == {"password_hash"}


def test_the_token_of_a_new_session_is_kept_as_a_digest_only(live: Live, email: str) -> None:
    token = live.register(email)["session"]["token"]
    assert not betrayed(token, text_of(live.settings))


def test_no_view_shows_a_password(shared: Live, email: str) -> None:
    for number, view in enumerate(shared.services.views["client"]):
        data = shared.register(f"{number}.{email}", view=view)["data"]
        assert not [key for key in data if "password" in key]


@pytest.mark.files
def test_nobody_else_may_read_the_files(live: Live) -> None:
    assert [each for each in files(live.settings.data_file) if each.stat().st_mode & 0o077] == []


def test_a_crash_leaves_no_trace_of_the_program_in_the_answer(
    start: Callable[..., Live], email: str
) -> None:
    text = start(alter=crash_in_handler).post(registration(email)).text
    assert text == '{"code":500,"status":"application-crash"}'
