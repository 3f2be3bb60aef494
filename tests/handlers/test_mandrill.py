"""The Mandrill transport against a real server: what counts as sent, and every way to fail."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.command import certified, reserved_port
from support.limits import LIMIT
from support.records import pending_registration
from support.servers import (
    KEY,
    Behaviour,
    FakeMandrill,
    closing_unannounced,
    cutting,
    dripping,
    hanging_up,
    refusing,
    replying,
    reporting,
    silent,
)

from clients_register.handlers.mail import MailFailed
from clients_register.handlers.mandrill import Mandrill
from clients_register.handlers.models import Mail

MAIL = Mail(
    recipient="Ada@Example.test",
    sender="no-reply@planomatic.test",
    subject="Welcome to PlanoAuth",
    text="Hello Ada\n",
    request_id="0123456789abcdef",
    sent_at=datetime(2026, 1, 15, 9, 30, tzinfo=UTC),
)
SHORT = 0.25
UNEXPECTED = "did not answer with one report per recipient"

REFUSED = {
    "invalid key": (refusing("Invalid_Key", -1), "500 'Invalid_Key'"),
    "invalid key as 401": (refusing("Invalid_Key", -1, 401), "401 'Invalid_Key'"),
    "validation": (refusing("ValidationError", -2), "500 'ValidationError'"),
    "unpaid": (refusing("PaymentRequired", -99), "500 'PaymentRequired'"),
    "unknown subaccount": (refusing("Unknown_Subaccount", 12), "500 'Unknown_Subaccount'"),
    "rejected": (reporting("rejected", reject_reason="hard-bounce"), "'rejected', reason 'hard-"),
    "invalid": (reporting("invalid"), "'invalid'"),
    "another word": (reporting("SENT"), "'SENT'"),
    "a status that is no word": (
        reporting(["sent"]),
        UNEXPECTED,
    ),
    "an error with 200": (
        refusing("Invalid_Key", -1, 200),
        UNEXPECTED,
    ),
    "no report": (replying(200, []), UNEXPECTED),
    "two reports": (
        replying(200, [{"status": "sent"}, {"status": "sent"}]),
        UNEXPECTED,
    ),
    "a bare report": (
        replying(200, {"status": "sent"}),
        UNEXPECTED,
    ),
    "null": (replying(200, None), UNEXPECTED),
    "a page": (replying(200, b"<html>busy</html>"), "200 without JSON"),
    "nothing": (replying(200, b""), "200 without JSON"),
    "no UTF-8": (replying(200, b'[{"status": "\xff"}]'), "200 without JSON"),
    "a bottomless answer": (replying(200, b"[" * 100_000), "200 without JSON"),
    "a page for an error": (replying(502, b"<html>busy</html>"), "502 without JSON"),
    "an error of another shape": (replying(500, ["error"]), "500 'None'"),
    "a report with 500": (replying(500, [{"status": "sent"}]), "500 'None'"),
    "broken gzip": (replying(200, b"[]", Content_Encoding="gzip"), "DecodingError"),
    "half an answer": (cutting, "RemoteProtocolError"),
    "no answer": (hanging_up, "Re"),
    "the key as a name": (refusing(f"no {KEY}", -1), "500 'no [key]'"),
    "a name of many lines": (refusing("a\nb\x1b", -1), r"500 'a\nb\x1b'"),
    "an endless name": (refusing("a" * 9999, -1), f"500 '{'a' * 64}'"),
}


@pytest.fixture
def api() -> Iterator[FakeMandrill]:
    with FakeMandrill() as server:
        yield server


@asynccontextmanager
async def transport(url: str, limit: float = LIMIT) -> AsyncIterator[Mandrill]:
    opened = Mandrill(url, KEY, limit)
    try:
        yield opened
    finally:
        await opened.close()


async def failure(url: str, limit: float = LIMIT) -> str:
    """Returns the log message of a mail that fails."""
    async with transport(url, limit) as mandrill:
        with pytest.raises(MailFailed) as caught:
            await mandrill.send(MAIL, pending_registration())
    return str(caught.value)


async def test_a_mail_is_one_call_as_the_api_documents_it(api: FakeMandrill) -> None:
    async with transport(api.url) as mandrill:
        await mandrill.send(MAIL, pending_registration())
    (call,) = api.calls
    assert (call.command, call.path) == ("POST", "/api/1.0/messages/send")
    assert call.headers["Content-Type"] == "application/json"
    assert call.sent == {
        "key": KEY,
        "message": {
            "from_email": "no-reply@planomatic.test",
            "to": [{"email": "Ada@Example.test", "type": "to"}],
            "subject": "Welcome to PlanoAuth",
            "text": "Hello Ada\n",
            "metadata": {"request_id": "0123456789abcdef"},
        },
    }


async def test_a_mail_leaves_once_its_client_is_stored(api: FakeMandrill) -> None:
    calls_when_stored = []

    async def commit(*_: object) -> None:
        calls_when_stored.append(len(api.calls))

    async with transport(api.url) as mandrill:
        await mandrill.send(MAIL, pending_registration(commit))
    assert (calls_when_stored, len(api.calls)) == ([0], 1)


async def test_no_mail_leaves_whose_client_cannot_be_stored(api: FakeMandrill) -> None:
    async def commit(*_: object) -> None:
        raise OSError("no space left")

    async with transport(api.url) as mandrill:
        with pytest.raises(OSError, match="no space left"):
            await mandrill.send(MAIL, pending_registration(commit))
    assert api.calls == []


@pytest.mark.parametrize("status", ["sent", "queued", "scheduled"])
async def test_a_mail_that_is_taken_on_is_a_success(api: FakeMandrill, status: str) -> None:
    api.answer = reporting(status)
    async with transport(api.url) as mandrill:
        await mandrill.send(MAIL, pending_registration())


@pytest.mark.parametrize(("answer", "told"), REFUSED.values(), ids=list(REFUSED))
async def test_any_other_answer_is_a_failure_told_in_one_line(
    api: FakeMandrill, answer: Behaviour, told: str
) -> None:
    api.answer = answer
    message = await failure(api.url)
    assert told in message
    assert message.isprintable()
    assert KEY not in message


@pytest.mark.parametrize("answer", [silent, dripping], ids=["silent", "dripping"])
async def test_a_call_ends_in_time_however_slow_the_server(
    api: FakeMandrill, answer: Behaviour
) -> None:
    api.answer = answer
    async with asyncio.timeout(LIMIT):
        assert await failure(api.url, SHORT) == "Mandrill did not answer within 0.25 s"


async def test_a_host_that_nobody_listens_on_is_a_failure() -> None:
    with reserved_port() as port:
        assert "ConnectError" in await failure(f"http://127.0.0.1:{port}/")


async def test_a_host_that_cannot_exist_is_a_failure() -> None:
    assert "cannot be reached" in await failure("http://a..b/")


async def test_a_redirect_is_not_followed(api: FakeMandrill) -> None:
    with FakeMandrill() as stranger:
        api.answer = replying(307, {}, Location=stranger.url + "messages/send")
        assert "307" in await failure(api.url)
        assert stranger.calls == []


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_of_the_environment_sees_no_call(
    api: FakeMandrill, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeMandrill() as proxy:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        async with transport(api.url) as mandrill:
            await mandrill.send(MAIL, pending_registration())
        assert (len(proxy.calls), len(api.calls)) == (0, 1)


async def test_a_connection_that_was_closed_between_mails_costs_no_mail(api: FakeMandrill) -> None:
    api.answer = closing_unannounced
    async with transport(api.url) as mandrill:
        await mandrill.send(MAIL, pending_registration())
        assert api.closed.wait(LIMIT)
        await mandrill.send(MAIL, pending_registration())
    assert len(api.calls) == 2


async def test_a_server_that_speaks_no_tls_is_a_failure(api: FakeMandrill) -> None:
    message = await failure(api.url.replace("http:", "https:"))
    assert "ConnectError" in message


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, and its key."""
    return certified(tmp_path_factory.mktemp("tls"))


async def test_a_certificate_that_nobody_vouches_for_is_a_failure(certificate: Path) -> None:
    with FakeMandrill(certificate) as api:
        assert "ConnectError" in await failure(api.url)
        assert api.calls == []


async def test_a_certificate_that_this_machine_trusts_is_enough(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with FakeMandrill(certificate) as api:
        async with transport(api.url) as mandrill:
            await mandrill.send(MAIL, pending_registration())
        assert len(api.calls) == 1
