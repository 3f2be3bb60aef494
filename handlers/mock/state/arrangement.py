"""What tests have arranged in a world: its time, its next answers, its faults, tokens they know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clients_register.handlers.mock.clock import WorldClock
from clients_register.handlers.mock.faults import Faults
from clients_register.handlers.mock.minted import Minted
from clients_register.handlers.mock.script import Script


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The parts stay the same objects, whatever becomes of them: services hold on to them.

    Each part can be written as a document, a value of JSON, and loaded from one.
    """

    clock: WorldClock
    minted: Minted
    script: Script = field(default_factory=Script)
    faults: Faults = field(default_factory=Faults)

    def restore(self) -> None:
        """As at the start; tokens that are known stay known."""
        self.clock.restore()
        self.script.load([])
        self.faults.set()

    def document(self) -> dict[str, Any]:
        """All of it."""
        return {
            "clock": self.clock.document(),
            "minted": self.minted.document(),
            "script": self.script.document(),
            "faults": self.faults.shown(),
        }

    def load(self, document: Mapping[str, Any]) -> None:
        """From now on it is what `document` says."""
        self.clock.load(document["clock"])
        self.minted.load(document["minted"])
        self.script.load(document["script"])
        self.faults.set(**document["faults"])
