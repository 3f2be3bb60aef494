"""What one world holds besides its store. It ends with the process."""

from collections.abc import Iterable

from clients_register.handlers.clock import Clock
from clients_register.handlers.mock.clock import WorldClock
from clients_register.handlers.mock.coverage import Coverage
from clients_register.handlers.mock.faults import Faults
from clients_register.handlers.mock.journal import Entry, Journal
from clients_register.handlers.mock.minted import Minted
from clients_register.handlers.mock.script import Script


class WorldState:
    """Clock, known tokens, script and faults as tests set them; journal and coverage of answers.

    Clock and faults stay the same objects for as long as the world exists, because the world's
    services hold on to them. No method waits, so each is atomic.
    """

    def __init__(self, base: Clock, tokens: Iterable[str]) -> None:
        """The world's clock follows `base`; `tokens` are known from the start."""
        self.clock = WorldClock(base)
        self.minted = Minted(tokens)
        self.script = Script()
        self.faults = Faults()
        self.journal = Journal()
        self.coverage = Coverage()

    def record(self, entry: Entry) -> None:
        """Adds `entry` to the journal, and its status to the coverage."""
        if entry.slug is not None:
            self.coverage.count(entry.slug, forced=entry.forced is not None)
        self.journal.keep(entry)

    def restore(self) -> None:
        """Resets clock, script and faults; tokens that are known stay known."""
        self.clock.restore()
        self.script.items = []
        self.faults.set()

    def copy_from(self, other: "WorldState") -> None:
        """Takes over the settings of `other`, but not its journal and coverage."""
        self.clock.copy_from(other.clock)
        self.minted.copy_from(other.minted)
        self.script.copy_from(other.script)
        self.faults.set(**other.faults.shown())
