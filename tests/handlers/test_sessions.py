"""Sessions: how long one lasts, what counts as use, and what is kept of its token."""

import base64
import hashlib
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.live import START, Live, registration
from support.store import tables_of, text_of

MILLISECOND = timedelta(milliseconds=1)
AGE = timedelta(days=7)
IDLE = timedelta(hours=72)


def login(live: Live, email: str) -> str:
    """The token of a session that is made now."""
    token: str = live.register(email)["session"]["token"]
    return token


def status(live: Live, token: str, email: str = "probe@tests.test", **changes: Any) -> str:
    """Returns the status of a registration with `token`."""
    answer: str = live.register(email, token=token, **changes)["status"]
    return answer


def use(live: Live, token: str) -> str:
    """Presents `token` and is refused for a missing client, in a later row, if it is a live one."""
    answer: str = live.post({"token": token, "application": "planoauth"}).json()["status"]
    return answer


def kept(live: Live, token: str) -> dict[str, Any]:
    """Returns the stored session of `token`, from the data file."""
    sessions = tables_of(live.settings)["sessions"]
    digest = hashlib.sha256(token.encode()).hexdigest()
    (record,) = (each for each in sessions.values() if each["digest"] == digest)
    found: dict[str, Any] = record
    return found


def pass_(live: Live, time: timedelta) -> None:
    live.clock.advance(seconds=time.total_seconds())


def keep_in_use(live: Live, token: str, until: timedelta) -> None:
    """Uses a session of now often enough, up to that age."""
    for _ in range(2):
        pass_(live, IDLE)
        assert use(live, token) == "missing-param"
    pass_(live, until - 2 * IDLE)


def test_a_session_of_exactly_seven_days_is_live(live: Live, email: str) -> None:
    token = login(live, email)
    keep_in_use(live, token, until=AGE)
    assert use(live, token) == "missing-param"


def test_a_session_of_a_millisecond_more_is_not(live: Live, email: str) -> None:
    token = login(live, email)
    keep_in_use(live, token, until=AGE + MILLISECOND)
    assert use(live, token) == "session-expired"


def test_a_session_unused_for_exactly_72_hours_is_live(live: Live, email: str) -> None:
    token = login(live, email)
    pass_(live, IDLE)
    assert use(live, token) == "missing-param"


def test_a_session_unused_for_a_millisecond_more_is_not(live: Live, email: str) -> None:
    token = login(live, email)
    pass_(live, IDLE + MILLISECOND)
    assert use(live, token) == "session-expired"


def test_a_remembered_session_has_no_limits(live: Live) -> None:
    pass_(live, timedelta(days=3650))
    assert use(live, "remembered-session") == "missing-param"
    assert use(live, "client-session") == "session-expired"


@pytest.mark.parametrize(
    ("params", "refused"),
    [
        ({"application": "planoauth"}, "missing-param"),
        (registration("no address"), "invalid-param"),
        (registration("client@personas.test"), "email-already-registered"),
        (registration("a@tests.test", client={"password": None}), "client-validation-failed"),
        (registration("a@tests.test"), "action-successful"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_live_session_is_used_whatever_follows(
    live: Live, params: dict[str, Any], refused: str
) -> None:
    pass_(live, timedelta(hours=2))
    assert live.post(params | {"token": "client-session"}).json()["status"] == refused
    assert datetime.fromisoformat(
        kept(live, "client-session")["last_used_at"]
    ) == START + timedelta(hours=2)


def test_a_session_of_nobody_in_particular_is_used_and_shown_so(live: Live) -> None:
    pass_(live, timedelta(hours=2))
    envelope = live.register("a@tests.test", token="roleless-session")
    used = START + timedelta(hours=2)
    assert envelope["status"] == "client-required"
    assert datetime.fromisoformat(envelope["session"]["last_used_at"]) == used
    assert datetime.fromisoformat(envelope["session"]["expires_at"]) == used + IDLE
    assert envelope["session"]["token"] == "roleless-session"


@pytest.mark.parametrize("token", ["old-session", "idle-session"])
def test_a_session_that_is_refused_stays_as_it_was(live: Live, token: str) -> None:
    before = kept(live, token)
    pass_(live, timedelta(hours=2))
    assert use(live, token) == "session-expired"
    assert kept(live, token) == before


def test_a_refusal_before_the_token_is_looked_at_uses_nothing(live: Live) -> None:
    before = kept(live, "client-session")
    pass_(live, timedelta(hours=2))
    live.send(base64.b64encode(b'{"token": "client-session"}'), content_type="text/html")
    assert kept(live, "client-session") == before


def test_a_session_expires_at_the_earlier_of_its_limits(live: Live, email: str) -> None:
    session = live.register(email)["session"]
    assert (
        datetime.fromisoformat(session["created_at"])
        == datetime.fromisoformat(session["last_used_at"])
        == START
    )
    assert datetime.fromisoformat(session["expires_at"]) == START + IDLE


def test_a_token_is_of_256_random_bits_and_fits_a_url(shared: Live, email: str) -> None:
    tokens = {login(shared, f"{number}.{email}") for number in range(20)}
    assert len(tokens) == 20
    for token in tokens:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
        assert len(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))) * 8 >= 256


def test_only_the_digest_of_a_token_is_stored(live: Live, email: str) -> None:
    token = login(live, email)
    assert use(live, token) == "missing-param"
    content = text_of(live.settings)
    assert hashlib.sha256(token.encode()).hexdigest() in content
    assert token not in content


def test_a_token_of_an_application_never_expires(live: Live) -> None:
    pass_(live, timedelta(days=36500))
    assert use(live, "planoorder-application") == "missing-param"


def test_a_token_of_an_application_may_be_used_for_another(shared: Live, email: str) -> None:
    answer = status(shared, "planoorder-application", email, application="planox2")
    assert answer == "action-successful"


def test_a_token_of_an_application_proves_no_user(shared: Live) -> None:
    answer = status(shared, "planoorder-application", "liaison@personas.test")
    assert answer == "client-validation-failed"


@pytest.mark.parametrize(
    "token",
    ["unknown", "CLIENT-SESSION", " client-session", 5, 0, False, True, ["client-session"], {}],
)
def test_what_is_no_token_is_refused(shared: Live, token: object) -> None:
    envelope = shared.post({"token": token, "application": "planoauth"}).json()
    assert envelope == {"code": 401, "status": "invalid-token"}


def test_the_digest_of_a_token_is_no_token(live: Live, email: str) -> None:
    digest = kept(live, login(live, email))["digest"]
    assert use(live, digest) == "invalid-token"


@pytest.mark.parametrize("token", [None, "", " \t\r\n", ...])
def test_without_a_token_the_route_is_public(shared: Live, email: str, token: object) -> None:
    passed = {} if token is ... else {"token": token}
    assert shared.post(registration(email) | passed).json()["status"] == "action-successful"
