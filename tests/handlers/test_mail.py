"""The welcome e-mail: what it says, where it is kept, and what a registration is without it."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command import reserved_port
from support.limits import controlled
from support.live import Live, SettableClock, registration
from support.records import pending_registration
from support.servers import KEY, Call, FakeMandrill, dripping, refusing, reporting
from support.store import Keep, tables_of

from clients_register.handlers.mail import Mailer
from clients_register.handlers.models import Mail
from clients_register.handlers.settings import Settings
from clients_register.handlers.store.base import PendingRegistration

# In seconds; no other limit has this value.
TIMEOUT = 77

SECRET = "never-in-any-log-8b1f"


class Recording:
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def send(self, mail: Mail, pending: PendingRegistration) -> None:
        self.mails.append(mail)

    async def close(self) -> None: ...


async def welcomed(first_name: str | None, application: str = "PlanoAuth") -> Mail:
    transport = Recording()
    mailer = Mailer(transport, "no-reply@planomatic.test", SettableClock())
    await mailer.send_welcome(
        pending_registration(None, first_name), application, "0123456789abcdef"
    )
    (mail,) = transport.mails
    return mail


@pytest.mark.parametrize(
    ("first_name", "greeting"),
    [
        ("Ada", "Hello Ada,"),
        (None, "Hello c@x.test,"),
        ("\u00a0\u2003", "Hello c@x.test,"),
        ("Ada\r\nBcc: all@example.test\r\n\r\nYou have won", "Hello Ada Bcc: all@example.test You"),
        ("A\x00d\x1ba", "Hello A d a,"),
        ("Ada\u2028\u0085Lovelace", "Hello Ada Lovelace,"),
        ("\u0627\u0645\u06cc\u200c\u062f", "Hello \u0627\u0645\u06cc\u200c\u062f,"),
        ("{email} {0}", "Hello {email} {0},"),
    ],
    ids=ascii,
)
async def test_the_greeting_is_one_line_whatever_the_name(
    first_name: str | None, greeting: str
) -> None:
    mail = await welcomed(first_name)
    assert mail.text.splitlines()[0].startswith(greeting)


@given(first_name=st.text(max_size=255), application=st.text(min_size=1))
async def test_no_name_adds_a_line_to_the_mail(first_name: str, application: str) -> None:
    plain = await welcomed("Ada")
    mail = await welcomed(first_name, application)
    assert len(mail.text.splitlines()) == len(plain.text.splitlines())
    assert len(mail.subject.splitlines()) == 1


async def test_the_subject_names_the_application_and_nobody() -> None:
    assert (await welcomed("Mallory", "Plano\nX2")).subject == "Welcome to Plano X2"


def mails_of(live: Live) -> list[Mail]:
    return list(live.run(live.services.store.mails()))


def test_the_outbox_keeps_the_mail_under_the_id_of_the_answer(shared: Live, email: str) -> None:
    answer = shared.post(registration(f"\t{email.upper()} ", application="planoorder"))
    mail = mails_of(shared)[-1]
    assert mail.recipient == email.upper() == answer.json()["data"]["email"]
    assert mail.request_id == answer.headers["X-Request-Id"]
    assert mail.sender == shared.settings.mail_from
    assert mail.subject == "Welcome to PlanoOrder"
    assert mail.sent_at == shared.clock.now()


def test_a_refused_registration_sends_no_mail(shared: Live, email: str) -> None:
    before = mails_of(shared)
    shared.register(email, application="unknown")
    assert mails_of(shared) == before


def test_the_outbox_is_kept_with_the_data(live: Live, email: str) -> None:
    live.register(email)
    outbox = tables_of(live.settings)["outbox"]
    assert [kept["recipient"] for kept in outbox.values()] == [email]


def test_no_password_and_no_token_stands_in_a_mail(live: Live, email: str) -> None:
    envelope = live.register(email, client={"password": SECRET})
    (mail,) = mails_of(live)
    assert SECRET not in repr(mail)
    assert envelope["session"]["token"] not in repr(mail)


@pytest.fixture(scope="module")
def api() -> Iterator[FakeMandrill]:
    with FakeMandrill() as server:
        yield server


@pytest.fixture(scope="module")
def sending(
    api: FakeMandrill, tmp_path_factory: pytest.TempPathFactory, keep_for_module: Keep
) -> Iterator[Live]:
    """A server that sends its mails through `api`."""
    settings = Settings(
        port=0,
        bcrypt_cost=4,
        mail="mandrill",
        mandrill_key=KEY,
        mandrill_url=api.url,
        **keep_for_module(tmp_path_factory.mktemp("sending") / "data.json"),
    )
    with Live(settings) as live:
        yield live


def sessions_of(live: Live, email: str) -> list[Any]:
    """The sessions of the user with that address, who must be a client."""
    user = live.run(live.services.store.user_by_email(email.lower()))
    assert user is not None
    assert user.client is not None
    tables = tables_of(live.settings)
    return [each for each in tables["sessions"].values() if each["user_id"] == user.id]


def test_mandrill_is_given_the_mail_and_the_outbox_is_not(
    sending: Live, api: FakeMandrill, email: str
) -> None:
    api.answer = reporting("queued")
    answer = sending.post(registration(email))
    assert answer.json()["status"] == "action-successful"
    message = api.calls[-1].sent["message"]
    assert message["to"][0]["email"] == email
    assert message["metadata"]["request_id"] == answer.headers["X-Request-Id"]
    assert mails_of(sending) == []


FAILURES = {
    "refused": refusing("Invalid_Key", -1),
    "the key comes back": refusing(KEY, -1),
    "rejected": reporting("rejected", reject_reason="spam"),
    "invalid": reporting("invalid"),
}


@pytest.fixture(params=FAILURES.values(), ids=list(FAILURES))
def failing(request: pytest.FixtureRequest, sending: Live, api: FakeMandrill) -> Live:
    api.answer = request.param
    return sending


def test_a_mail_that_fails_leaves_the_client_without_a_session(failing: Live, email: str) -> None:
    envelope = failing.register(email)
    assert envelope == {"code": 500, "status": "mandrill-email-failed"}
    assert sessions_of(failing, email) == []


def test_after_a_mail_that_failed_the_address_is_taken(
    failing: Live, api: FakeMandrill, email: str
) -> None:
    failing.register(email)
    api.answer = reporting("sent")
    assert failing.register(email)["status"] == "email-already-registered"


def test_why_a_mail_failed_is_in_the_log_without_any_secret(
    failing: Live, email: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = failing.post(registration(email, client={"password": SECRET}))
    told = [line for line in caplog.messages if line.startswith(answer.headers["X-Request-Id"])]
    assert len(told) == 1
    assert "Mandrill" in told[0]
    assert KEY not in caplog.text + answer.text
    assert SECRET not in caplog.text + answer.text


@pytest.fixture(params=["unreachable", "endless"])
def out_of_reach(request: pytest.FixtureRequest, start: Callable[..., Live]) -> Iterator[Live]:
    """A server whose Mandrill is not there, or never comes to an end."""
    with FakeMandrill() as api, reserved_port() as port, controlled(TIMEOUT) as limit:

        def answer(call: Call) -> None:
            limit.expire()
            dripping(call)

        api.answer = answer
        url = f"http://127.0.0.1:{port}/" if request.param == "unreachable" else api.url
        yield start(mail="mandrill", mandrill_key=KEY, mandrill_url=url, mandrill_timeout=TIMEOUT)


def test_a_mandrill_out_of_reach_fails_only_the_mail(out_of_reach: Live, email: str) -> None:
    assert out_of_reach.register(email)["status"] == "mandrill-email-failed"
    assert sessions_of(out_of_reach, email) == []
