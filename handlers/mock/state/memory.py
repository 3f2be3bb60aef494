"""State that one process keeps for itself. Nothing in here waits, so nobody comes in between."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from clients_register.handlers.mock.coverage import Coverage, total
from clients_register.handlers.mock.journal import Entry, Journal
from clients_register.handlers.mock.showing import shown
from clients_register.handlers.mock.state import Use
from clients_register.handlers.mock.state.arrangement import Arrangement


class MemoryStates:
    """See `States`."""

    def __init__(self) -> None:
        self.gone = Coverage()
        self.there: dict[str, MemoryState] = {}

    def of(self, name: str, arranged: Arrangement) -> "MemoryState":
        """See `States.of`."""
        state = self.there[name] = MemoryState(name, arranged, self)
        return state

    async def uses(self) -> Mapping[str, Use]:
        """See `States.uses`."""
        now = time.monotonic()
        return {
            name: Use(state.journal.count, now - state.used_at, state.opened)
            for name, state in self.there.items()
        }

    async def met(self) -> Coverage:
        """See `States.met`."""
        return total([self.gone, *(state.coverage for state in self.there.values())])

    async def forget_met(self) -> None:
        """See `States.forget_met`."""
        self.gone = Coverage()
        for state in self.there.values():
            state.coverage = Coverage()

    async def close(self) -> None:
        """See `States.close`."""


class MemoryState:
    """See `WorldState`. The journal's entries are explained by what the world holds when asked."""

    pace: float | None = None
    is_shared = False

    def __init__(self, name: str, arranged: Arrangement, states: MemoryStates) -> None:
        self.arranged = arranged
        self.journal = Journal()
        self.coverage = Coverage()
        self.opened = False
        self.used_at = time.monotonic()
        self._name = name
        self._states = states

    async def read(self) -> bool:
        """See `WorldState.read`."""
        return True

    @asynccontextmanager
    async def opening(self) -> AsyncIterator[bool]:
        """See `WorldState.opening`. What was kept in earlier runs is new to this one."""
        yield True
        self.opened = True

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Arrangement]:
        """See `WorldState.changing`."""
        yield self.arranged

    def touch(self) -> None:
        """See `WorldState.touch`."""
        self.used_at = time.monotonic()

    async def keep(self, entry: Entry) -> None:
        """See `WorldState.keep`."""
        if entry.slug is not None:
            self.coverage.count(entry.slug, forced=entry.forced is not None)
        self.journal.keep(entry)

    async def requests(self, after: int, status: str | None) -> Sequence[Mapping[str, Any]]:
        """See `WorldState.requests`."""
        fitting = [
            entry for entry in self.journal if entry.number > after and status in (None, entry.slug)
        ]
        return [await shown(entry) for entry in fitting]

    async def request(self, request_id: str) -> Mapping[str, Any] | None:
        """See `WorldState.request`."""
        entry = self.journal.entry(request_id)
        return None if entry is None else await shown(entry)

    async def forget_requests(self) -> None:
        """See `WorldState.forget_requests`."""
        self.journal.clear()

    async def met(self) -> Coverage:
        """See `WorldState.met`."""
        return self.coverage

    async def forget_met(self, *, whole: bool) -> None:
        """See `WorldState.forget_met`."""
        if not whole:
            self._states.gone.add(self.coverage)
        self.coverage = Coverage()

    async def remove(self) -> None:
        """See `WorldState.remove`."""
        self._states.gone.add(self.coverage)
        # Another one of its name may be there already.
        if self._states.there.get(self._name) is self:
            del self._states.there[self._name]
