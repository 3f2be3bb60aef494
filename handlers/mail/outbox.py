"""The transport that keeps mails with the data: nothing leaves the machine."""

from clients_register.handlers.records import Mail
from clients_register.handlers.store.enrolment import Enrolment


class Outbox:
    """See `Transport`. A mail kept is a mail sent, and it is kept with the client or not at all."""

    async def send(self, mail: Mail, enrolment: Enrolment) -> None:
        """See `Transport.send`."""
        await enrolment.add_mail(mail)
