"""An unforeseen error: the answer, the store as it was before, and what the log tells of it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.live import Live, altered, encoded, registration
from support.servers import KEY, FakeMandrill
from support.store import tables_of

from clients_register.handlers.context import Services
from clients_register.handlers.logs import HIDDEN
from clients_register.handlers.models import Session
from clients_register.handlers.store.base import Store

PASSWORD = 'long enough "to be told" caf\u00e9'
TOKEN = "a-token-that-nobody-gave-out"
CRASH = {"code": 500, "status": "application-crash"}

# The steps of a registration, in their order: the service, and its method. Where a mail leaves the
# machine the client is stored before, and the session after it.
STEPS = [
    ("store", "begin_registration"),
    ("mailer", "send_welcome"),
    ("sessions", "issue"),
]


class FailingOnce:
    """A part of a server whose `method` fails when it is called for the first time."""

    def __init__(self, part: Any, method: str, error: Exception) -> None:
        self._part = part
        self._method = method
        self._error: Exception | None = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name) if name != self._method else self._call

    def _call(self, *args: Any) -> Any:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return getattr(self._part, self._method)(*args)


def failing(part: str, method: str, words: str = "the disk is on fire") -> Callable[..., Services]:
    def alter(services: Services) -> Services:
        broken = FailingOnce(getattr(services, part), method, RuntimeError(words))
        return altered(**{part: broken})(services)

    return alter


@pytest.fixture(params=STEPS, ids=".".join)
def crashing(request: pytest.FixtureRequest, start: Callable[..., Live]) -> Live:
    """A server that crashes once, at one of the steps."""
    return start(alter=failing(*request.param))


@pytest.fixture(params=["sessions.issue", "store.put_session"])
def sending(
    request: pytest.FixtureRequest, start: Callable[..., Live], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Live]:
    """A server whose mails leave the machine, and that crashes once after the first."""
    with FakeMandrill() as api:
        settings: dict[str, Any] = {
            "mail": "mandrill",
            "mandrill_key": KEY,
            "mandrill_url": api.url,
        }
        if request.param == "sessions.issue":
            settings["alter"] = failing("sessions", "issue")
        live = start(**settings)
        if request.param == "store.put_session":
            errors = [RuntimeError("the disk is on fire")]
            kind: Any = type(live.services.store)
            put_session = kind.put_session

            async def failing_once(store: Store, session: Session) -> None:
                if errors:
                    raise errors.pop()
                await put_session(store, session)

            monkeypatch.setattr(kind, "put_session", failing_once)
        yield live


def tables(live: Live) -> dict[str, Any]:
    """Users and sessions as they are kept."""
    kept = tables_of(live.settings)
    return {name: kept[name] for name in ("users", "sessions")}


def test_a_crash_is_an_answer_and_leaves_nothing_stored(crashing: Live, email: str) -> None:
    before = tables(crashing)
    assert crashing.register(email) == CRASH
    assert tables(crashing) == before
    assert crashing.run(crashing.services.store.user_by_email(email.lower())) is None


def test_a_crash_leaves_nothing_stored_though_the_mail_had_left(sending: Live, email: str) -> None:
    before = tables(sending)
    assert sending.register(email) == CRASH
    assert tables(sending) == before
    assert sending.register(email)["status"] == "action-successful"


def test_after_a_crash_the_address_can_register(crashing: Live, email: str) -> None:
    crashing.register(email)
    assert crashing.register(email)["status"] == "action-successful"


def test_a_crash_leaves_an_existing_user_as_they_were(crashing: Live) -> None:
    before = tables(crashing)
    liaison = {"email": "liaison@personas.test", "password": "password of liaison"}
    assert crashing.post({"application": "planoauth", "client": liaison}).json() == CRASH
    assert tables(crashing) == before


def test_a_crash_is_in_the_log_under_the_id_of_the_answer_with_where_it_struck(
    crashing: Live, email: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = crashing.post(registration(email))
    (entry,) = (message for message in caplog.messages if "disk is on fire" in message)
    first, *others = entry.splitlines()
    assert first == f"{answer.headers['X-Request-Id']}: crash"
    assert "register.py" in entry
    assert others[-1].strip() == "builtins.RuntimeError: the disk is on fire"


def test_a_crash_that_quotes_the_request_is_logged_without_the_words(
    start: Callable[..., Live], email: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = encoded(registration(email, client={"password": PASSWORD}))
    live = start(
        alter=failing("store", "begin_registration", f"cannot keep {PASSWORD!r} of {body!r}")
    )
    answer = live.send(body)
    (entry,) = (each for each in caplog.messages if each.startswith(answer.headers["X-Request-Id"]))
    assert entry.splitlines()[-1].strip() == f"builtins.RuntimeError: {HIDDEN}"


@pytest.fixture
def crash_before_routing(start: Callable[..., Live]) -> Live:
    async def crash(scope: Any, *_: object) -> None:
        raise RuntimeError(f"the lights went out: {scope}")

    return start(before_routing=crash)


def test_a_crash_before_routing_is_an_answer_on_any_path_and_method(
    crash_before_routing: Live,
) -> None:
    answer = crash_before_routing.http.request("PATCH", crash_before_routing.origin + "/nowhere")
    assert answer.json() == {"code": 500, "status": "identify-request-error"}


def test_a_crash_before_routing_is_logged_without_what_was_sent(
    crash_before_routing: Live, email: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = encoded(registration(email, token=TOKEN, client={"password": PASSWORD}))
    answer = crash_before_routing.send(body)
    (entry,) = (each for each in caplog.messages if each.startswith(answer.headers["X-Request-Id"]))
    assert "RuntimeError" in caplog.text
    assert body.decode() not in caplog.text
    assert entry.startswith(f"{answer.headers['X-Request-Id']}: crash before the route was ident")
