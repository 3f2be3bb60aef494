"""Saved worlds: what a world contained at one moment, to restore it or to create others from it.

They are kept in memory, and shared by all worlds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from clients_register.handlers.store.tinydb import Contents
from clients_register.handlers.stub.paths import is_name
from clients_register.handlers.stub.problems import Problem
from clients_register.handlers.stub.state import WorldState
from clients_register.spec.schema_errors import suggest

MAX_SNAPSHOTS = 100


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The contents of a world's store, with the numbers of records in it, and its settings.

    `saved_at` is the time by the clock of the world. The records of what its callers did, such as
    the request log, are not part of it.
    """

    world: str
    saved_at: datetime
    contents: Contents
    counts: Mapping[str, int]
    state: WorldState


class Snapshots:
    """All snapshots of a stub, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Snapshot] = {}

    def all(self) -> Iterable[tuple[str, Snapshot]]:
        """Returns names and snapshots, by name."""
        return sorted(self._by_name.items())

    def get(self, name: str) -> Snapshot:
        """Returns the snapshot `name`. Raises Problem if there is none."""
        if name not in self._by_name:
            detail = f"there is no snapshot {name!r}"
            raise Problem("no-such-snapshot", detail, suggest(name, self._by_name), 404)
        return self._by_name[name]

    def add(self, name: str, snapshot: Snapshot) -> None:
        """Adds a snapshot, or replaces the one of that name.

        Raises Problem for an invalid name, or if there are too many snapshots.
        """
        if not is_name(name):
            raise Problem(
                "bad-snapshot",
                "expected a snapshot's name of 1 to 64 letters, digits, _ and -, found"
                f" {name[:80]!r}",
                "Such as /_mock/snapshots/logged-in",
            )
        if name not in self._by_name and len(self._by_name) == MAX_SNAPSHOTS:
            raise Problem(
                "too-many-snapshots",
                f"expected at most {MAX_SNAPSHOTS} snapshots, found another",
                "DELETE /_mock/snapshots/NAME when it is no longer needed",
            )
        self._by_name[name] = snapshot

    def remove(self, name: str) -> None:
        """Removes the snapshot `name`. Raises Problem if there is none."""
        self.get(name)
        del self._by_name[name]
