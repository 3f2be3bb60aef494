"""What a world was asked and answered, bounded, newest last.

An entry keeps references and makes nothing: it is written on the hot path of other people's tests,
and read by people.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clients_register.handlers.attempt import Attempt, Request

# Entries kept; a body is at most the server's limit, so the journal is bounded in bytes as well.
KEPT = 500


@dataclass(slots=True)
class Entry:
    """One request and its answer.

    `slug` is None where the stub complained, `forced` how the answer was forced, `request` None
    where the world could not be opened, `attempt` None where no rule was asked.
    """

    id: str
    at: datetime
    method: str
    path: str
    started: float
    number: int = 0
    milliseconds: float = 0
    code: int = 0
    slug: str | None = None
    forced: str | None = None
    fault: str | None = None
    envelope: Mapping[str, Any] | None = None
    request: Request | None = None
    attempt: Attempt | None = None


class Journal:
    """The newest entries of a world, numbered from 1."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._count = 0

    def __iter__(self) -> Iterator[Entry]:
        """Oldest first."""
        return iter(self._entries)

    @property
    def count(self) -> int:
        """How many there have been, forgotten ones included."""
        return self._count

    def keep(self, entry: Entry) -> None:
        """Adds `entry`, and forgets the oldest where there are too many."""
        self._count += 1
        entry.number = self._count
        self._entries.append(entry)

    def entry(self, request_id: str) -> Entry | None:
        """The entry whose answer carried that X-Request-Id."""
        return next((entry for entry in self._entries if entry.id == request_id), None)

    def clear(self) -> None:
        """Forgets all entries; numbers go on."""
        self._entries.clear()
