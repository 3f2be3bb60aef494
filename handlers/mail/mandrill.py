"""The transport that sends through the Mandrill messages API (`POST /messages/send`)."""

import asyncio
from typing import Any

import httpx

from clients_register import __version__
from clients_register.handlers.mail import MailFailed
from clients_register.handlers.records import Mail
from clients_register.handlers.store.enrolment import Enrolment

# What the API calls a mail that it has taken on; `rejected` and `invalid` are the others.
TAKEN_ON = frozenset({"sent", "queued", "scheduled"})

# How much of a foreign word goes into a log line.
LONGEST_WORD = 64


class Mandrill:
    """See `Transport`. One client, so that its connections are kept between mails."""

    def __init__(self, url: str, key: str, timeout: float) -> None:
        """`url` is the base of the API, `key` its key, `timeout` in seconds for a whole call."""
        self._key = key
        self._timeout = timeout
        # Key and addresses go to whom the settings name and to nobody else: no redirect is
        # followed, and no proxy or .netrc of the environment is heeded. Certificates are checked
        # against httpx's list and this machine's own, which SSL_CERT_FILE can name.
        trusted = httpx.create_ssl_context(trust_env=False)
        trusted.load_default_certs()
        self._client = httpx.AsyncClient(
            base_url=url,
            follow_redirects=False,
            headers={"User-Agent": f"clients-register/{__version__}"},
            timeout=timeout,
            trust_env=False,
            verify=trusted,
        )

    async def send(self, mail: Mail, enrolment: Enrolment) -> None:
        """See `Transport.send`."""
        await enrolment.settle()
        try:
            # httpx limits each step, so that a server which drips bytes would never end.
            async with asyncio.timeout(self._timeout):
                answer = await self._client.post("messages/send", json=self._call(mail))
        except (TimeoutError, httpx.TimeoutException):
            raise MailFailed(f"Mandrill did not answer within {self._timeout:g} s") from None
        except (httpx.HTTPError, OSError, UnicodeError) as error:
            # Its text may quote the request; the kind says enough.
            raise MailFailed(f"Mandrill cannot be reached: {type(error).__name__}") from None
        self._check(answer)

    async def close(self) -> None:
        """Lets go of its connections. No call may follow."""
        await self._client.aclose()

    def _call(self, mail: Mail) -> dict[str, Any]:
        return {
            "key": self._key,
            "message": {
                "from_email": mail.sender,
                "to": [{"email": mail.recipient, "type": "to"}],
                "subject": mail.subject,
                "text": mail.text,
                "metadata": {"request_id": mail.request_id},
            },
        }

    def _check(self, answer: httpx.Response) -> None:
        """Raises MailFailed unless `answer` says that the mail is taken on."""
        try:
            report = answer.json()
        except (ValueError, RecursionError):
            raise MailFailed(f"Mandrill answered {answer.status_code} without JSON") from None
        if answer.status_code != httpx.codes.OK:
            name = report.get("name") if isinstance(report, dict) else None
            raise MailFailed(f"Mandrill refused the call: {answer.status_code} {self._word(name)}")
        match report:
            case [{"status": str(status)}] if status in TAKEN_ON:
                return
            case [{"status": str(status), **rest}]:
                reason = self._word(rest.get("reject_reason"))
                raise MailFailed(
                    f"Mandrill did not take the mail on: {self._word(status)}, reason {reason}"
                )
            case _:
                raise MailFailed("Mandrill answered something else than one report per recipient")

    def _word(self, value: object) -> str:
        """A word of the other side's, fit for the log whatever it is, and not the key."""
        return repr(str(value).replace(self._key, "[key]")[:LONGEST_WORD])
