"""The mail transport for the Mandrill messages API (`POST /messages/send`)."""

import asyncio
from typing import Any

import httpx2
from typing_extensions import override

from clients_register import __version__
from clients_register.handlers.mail import MailFailed, Transport
from clients_register.handlers.models import Mail
from clients_register.handlers.store.base import PendingRegistration

# The statuses of an accepted mail; the others are `rejected` and `invalid`.
ACCEPTED = frozenset({"sent", "queued", "scheduled"})

# Limit for words from the API in log lines, in characters.
MAX_WORD = 64


class Mandrill(Transport):
    """Sends mails through one HTTP client, which reuses its connections."""

    def __init__(self, url: str, key: str, timeout: float) -> None:
        """`url` is the base URL of the API; `timeout` limits a whole call, in seconds."""
        self._key = key
        self._timeout = timeout
        # The key and addresses must reach no one but the configured host, so redirects, proxies and
        # .netrc are ignored. Certificates are verified against those of the system, or against
        # SSL_CERT_FILE.
        ssl_context = httpx2.create_ssl_context()
        self._client = httpx2.AsyncClient(
            base_url=url,
            follow_redirects=False,
            headers={"User-Agent": f"clients-register/{__version__}"},
            timeout=timeout,
            trust_env=False,
            verify=ssl_context,
        )

    @override
    async def send(self, mail: Mail, pending: PendingRegistration) -> None:
        await pending.commit()
        try:
            # httpx2's timeout is per read; a server that trickles bytes would never time out.
            async with asyncio.timeout(self._timeout):
                response = await self._client.post("messages/send", json=self._payload(mail))
        except (TimeoutError, httpx2.TimeoutException):
            raise MailFailed(f"Mandrill did not answer within {self._timeout:g} s") from None
        except (httpx2.HTTPError, OSError, UnicodeError) as error:
            # Its message may quote the request.
            raise MailFailed(f"Mandrill cannot be reached: {type(error).__name__}") from None
        self._check(response)

    async def close(self) -> None:
        """Closes the connections; the transport cannot be used afterwards."""
        await self._client.aclose()

    def _payload(self, mail: Mail) -> dict[str, Any]:
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

    def _check(self, response: httpx2.Response) -> None:
        """Raises MailFailed unless `response` says that the mail was accepted."""
        try:
            report = response.json()
        except (ValueError, RecursionError):
            raise MailFailed(f"Mandrill answered {response.status_code} without JSON") from None
        if response.status_code != httpx2.codes.OK:
            name = report.get("name") if isinstance(report, dict) else None
            raise MailFailed(
                f"Mandrill refused the call: {response.status_code} {self._word(name)}"
            )
        match report:
            case [{"status": str(status)}] if status in ACCEPTED:
                return
            case [{"status": str(status), **rest}]:
                reason = self._word(rest.get("reject_reason"))
                raise MailFailed(
                    f"Mandrill did not accept the mail: {self._word(status)}, reason {reason}"
                )
            case _:
                raise MailFailed("Mandrill did not answer with one report per recipient")

    def _word(self, value: object) -> str:
        """Makes a value from the API safe to log: bounded, escaped, and without the key."""
        return repr(str(value).replace(self._key, "[key]")[:MAX_WORD])
