"""What worlds hold beside their stores, behind an interface that a process and a database can keep.

It lasts as long as a server does, and is gone with the last one.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from clients_register.handlers.mock.coverage import Coverage
from clients_register.handlers.mock.journal import Entry
from clients_register.handlers.mock.state.arrangement import Arrangement


@dataclass(frozen=True, slots=True)
class Use:
    """How many requests a world has answered, and for how many seconds it was left alone.

    Nobody knows what is stored in a world that was not `opened` yet.
    """

    requests: int
    idle: float
    opened: bool


class WorldState(Protocol):
    """What one world holds beside its store. Raises StoreUnavailable where that is not in reach."""

    @property
    def pace(self) -> float | None:
        """Seconds after which whoever waits for news looks again; None where they are told."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether other servers have a part in it. Otherwise there is never anything to read."""
        ...

    @property
    def arranged(self) -> Arrangement:
        """As it was when it was last read; whoever has `read` goes on with it."""
        ...

    async def read(self) -> bool:
        """Brings `arranged` up to date. False where another server has removed the world."""
        ...

    def opening(self) -> AbstractAsyncContextManager[bool]:
        """Whether the world is new, for whoever opens it. No other server does so meanwhile."""
        ...

    def changing(self) -> AbstractAsyncContextManager[Arrangement]:
        """`arranged`, up to date: what is changed in it counts when the context ends, for all.

        No other server changes it meanwhile. Raises StoreError where the world is not there.
        """
        ...

    def touch(self) -> None:
        """The world is used."""
        ...

    async def keep(self, entry: Entry) -> None:
        """Puts `entry` into the journal, which forgets its oldest, and counts the answer as met."""
        ...

    async def requests(self, after: int, status: str | None) -> Sequence[Mapping[str, Any]]:
        """The journal, oldest first, as people are shown it: numbers above `after`, of `status`."""
        ...

    async def request(self, request_id: str) -> Mapping[str, Any] | None:
        """What people are shown of the entry whose answer carried that X-Request-Id."""
        ...

    async def forget_requests(self) -> None:
        """Empties the journal; its numbers go on."""
        ...

    async def met(self) -> Coverage:
        """What was answered in this world."""
        ...

    async def forget_met(self, *, whole: bool) -> None:
        """From now on nothing was answered. Not `whole`, the sum of all worlds still knows."""
        ...

    async def remove(self) -> None:
        """The world is gone; the sum of all worlds still knows what was answered in it."""
        ...


class States(Protocol):
    """What all worlds hold beside their stores."""

    def of(self, name: str, arranged: Arrangement) -> WorldState:
        """The state of the world called `name`, which is `arranged` so where it is new."""
        ...

    async def uses(self) -> Mapping[str, Use]:
        """Name -> use, of all worlds that there are."""
        ...

    async def met(self) -> Coverage:
        """What was answered in all worlds, those that are gone among them."""
        ...

    async def forget_met(self) -> None:
        """From now on nothing was answered in any world."""
        ...

    async def close(self) -> None:
        """Lets go of it. No call may follow."""
        ...
