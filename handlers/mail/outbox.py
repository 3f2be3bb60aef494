"""The transport that keeps mails with the data: nothing leaves the machine."""

from clients_register.handlers.records import Mail
from clients_register.handlers.store import Store


class Outbox:
    """See `Transport`. A mail kept is a mail sent."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def send(self, mail: Mail) -> None:
        """See `Transport.send`."""
        await self._store.add_mail(mail)
