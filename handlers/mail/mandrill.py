"""The transport that sends through the Mandrill messages API (`POST /messages/send`)."""

from typing import Any

import httpx

from clients_register.handlers.mail import MailFailed
from clients_register.handlers.records import Mail

# What the API calls a mail that it has taken on; `rejected` and `invalid` are the others.
TAKEN_ON = frozenset({"sent", "queued", "scheduled"})


class Mandrill:
    """See `Transport`. One client, so that its connections are kept between mails."""

    def __init__(self, url: str, key: str, timeout: float) -> None:
        """`url` is the base of the API, `key` its key, `timeout` in seconds for a whole call."""
        self._key = key
        self._timeout = timeout
        self._client = httpx.AsyncClient(base_url=url, timeout=timeout)

    async def send(self, mail: Mail) -> None:
        """See `Transport.send`."""
        try:
            answer = await self._client.post("messages/send", json=self._call(mail))
        except httpx.HTTPError as error:
            # Its text may quote the request; the kind says enough.
            raise MailFailed(f"Mandrill cannot be reached: {type(error).__name__}") from None
        _check(answer)

    async def close(self) -> None:
        """See `Transport.close`."""
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


def _check(answer: httpx.Response) -> None:
    """Raises MailFailed unless `answer` says that the mail is taken on."""
    try:
        report = answer.json()
    except ValueError:
        raise MailFailed(f"Mandrill answered {answer.status_code} without JSON") from None
    if answer.status_code != httpx.codes.OK:
        name = report.get("name") if isinstance(report, dict) else None
        raise MailFailed(f"Mandrill refused the call: {answer.status_code} {name}")
    match report:
        case [{"status": str(status), **rest}] if status in TAKEN_ON:
            return
        case [{"status": str(status), **rest}]:
            reason = rest.get("reject_reason")
            raise MailFailed(f"Mandrill did not take the mail on: {status}, {reason}")
        case _:
            raise MailFailed("Mandrill answered something else than one report per recipient")
