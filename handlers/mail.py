"""The welcome e-mail, the interface of mail transports, and the outbox (Q-WELCOME-MAIL)."""

import re
from typing import Protocol

from typing_extensions import override

from clients_register.handlers.models import Clock, Mail
from clients_register.handlers.store.base import PendingRegistration

WELCOME = """\
Hello {name},

you are registered as a client. Log in to {application} with this address:

    {email}

If you did not register, somebody typed your address by mistake: you need not do anything.
"""


class MailFailed(Exception):
    """The mail was not accepted for delivery; the message says why and contains no secret."""


class Transport(Protocol):
    """Delivers mails."""

    async def send(self, mail: Mail, pending: PendingRegistration) -> None:
        """Sends the mail of a registration. Returns once it was accepted for delivery.

        A transport that sends mails off this machine commits the registration first: the mail must
        not arrive without a client, and other writes must not wait for the network. Raises
        MailFailed.
        """
        ...


class Outbox(Transport):
    """Stores mails with the other data; nothing leaves the machine."""

    @override
    async def send(self, mail: Mail, pending: PendingRegistration) -> None:
        await pending.add_mail(mail)


class Mailer:
    """Composes mails and hands them to a transport."""

    def __init__(self, transport: Transport, sender: str, clock: Clock) -> None:
        self._transport = transport
        self._sender = sender
        self._clock = clock

    async def send_welcome(
        self, pending: PendingRegistration, application: str, request_id: str
    ) -> None:
        """Welcomes the new client, at the address that is stored. Raises MailFailed."""
        client = pending.user.client
        assert client is not None, "only clients are welcomed"
        application = _single_line(application)
        text = WELCOME.format(
            name=_single_line(client.first_name or "") or client.email,
            application=application,
            email=client.email,
        )
        await self._transport.send(
            Mail(
                recipient=client.email,
                sender=self._sender,
                subject=f"Welcome to {application}",
                text=text,
                request_id=request_id,
                sent_at=self._clock.now(),
            ),
            pending,
        )


def _single_line(text: str) -> str:
    """Joins the lines of `text`, and removes control characters.

    The caller chooses name and address: a name of several lines could make the mail any letter to
    anyone, and a line break in a subject could start another header.
    """
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text).split())
