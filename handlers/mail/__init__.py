"""The welcome e-mail, and the interface behind which a transport carries it (Q-WELCOME-MAIL)."""

import re
from typing import Protocol

from clients_register.handlers.clock import Clock
from clients_register.handlers.records import Mail
from clients_register.handlers.store.enrolment import Enrolment


class MailFailed(Exception):
    """The mail was not taken on; the message says why, for the log, and holds no secret."""


class Transport(Protocol):
    """Carries a mail, or raises MailFailed."""

    async def send(self, mail: Mail, enrolment: Enrolment) -> None:
        """Sends the mail that goes with an enrolment; returns once the other side has taken it on.

        Whoever sends it out of this machine has the enrolment settled first: what the mail says is
        then true, and nobody who writes to the store waits for the other side.
        """
        ...


WELCOME = """\
Hello {name},

you are registered as a client. Log in to {application} with this address:

    {email}

If you did not register, somebody typed your address by mistake: you need not do anything.
"""


class Mailer:
    """Writes the mails of the route and hands them to a transport."""

    def __init__(self, transport: Transport, sender: str, clock: Clock) -> None:
        self._transport = transport
        self._sender = sender
        self._clock = clock

    async def welcome(self, enrolment: Enrolment, application: str, request_id: str) -> None:
        """Greets the new client at the address as stored. Raises MailFailed."""
        client = enrolment.user.client
        assert client is not None, "only a client is welcomed"
        application = _line(application)
        text = WELCOME.format(
            name=_line(client.first_name or "") or client.email,
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
            enrolment,
        )


def _line(text: str) -> str:
    """`text` on one line, without control characters.

    Whoever registers chooses the name and the address, so a name of many lines would be a letter
    of theirs to anybody they like; and a line break in a subject would begin another header.
    """
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text).split())
