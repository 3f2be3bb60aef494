"""What is broken in a world: states from which statuses follow by their natural cause."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from typing import Any

from clients_register.handlers.mail import MailFailed, Transport
from clients_register.handlers.records import Mail, Registration, User
from clients_register.handlers.store import Store
from clients_register.handlers.store.enrolment import Enrolment

BEFORE_ROUTING, IN_HANDLER = "before-routing", "in-handler"


class InjectedCrash(RuntimeError):
    """The crash that somebody asked the control plane for."""


@dataclass(slots=True)
class Faults:
    """The switches of a world. `mail_failures` counts the mails that will still fail."""

    service_deployed: bool = True
    route_deployed: bool = True
    crash: str | None = None
    mail_failures: int = 0

    def set(self, **switches: Any) -> None:
        """Sets every switch: those left out are as at the start."""
        for name, value in asdict(Faults(**switches)).items():
            setattr(self, name, value)

    def use_mail_failure(self) -> bool:
        """Whether the mail that is to be sent fails."""
        fails = self.mail_failures > 0
        self.mail_failures -= fails
        return fails

    def shown(self) -> dict[str, Any]:
        """As the control plane shows it."""
        return asdict(self)


class FaultyServices(Mapping[str, frozenset[str]]):
    """The records of deployed services and their actions, without those switched off."""

    def __init__(self, whole: Mapping[str, frozenset[str]], faults: Faults) -> None:
        self._whole = whole
        self._faults = faults

    def __getitem__(self, service: str) -> frozenset[str]:
        if not self._faults.service_deployed:
            raise KeyError(service)
        return self._whole[service] if self._faults.route_deployed else frozenset()

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole if self._faults.service_deployed else ())

    def __len__(self) -> int:
        return len(self._whole) if self._faults.service_deployed else 0


class FaultyStore:
    """A store that crashes where a client would be stored: all rules have passed by then."""

    def __init__(self, whole: Store, faults: Faults) -> None:
        self._whole = whole
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def enrol(
        self, registration: Registration, user: User | None
    ) -> AbstractAsyncContextManager[Enrolment]:
        """See `Store.enrol`. Raises InjectedCrash where that is switched on."""
        if self._faults.crash == IN_HANDLER:
            raise InjectedCrash("a crash in the handler was asked for")
        return self._whole.enrol(registration, user)


class FaultyTransport:
    """A transport that fails as often as it was told to. See `Transport`."""

    def __init__(self, whole: Transport, faults: Faults) -> None:
        self._whole = whole
        self._faults = faults

    async def send(self, mail: Mail, enrolment: Enrolment) -> None:
        """See `Transport.send`."""
        if self._faults.use_mail_failure():
            raise MailFailed("a failure of the mail was asked for")
        await self._whole.send(mail, enrolment)
