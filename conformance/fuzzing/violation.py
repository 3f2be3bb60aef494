"""What a campaign looks for, and what ends it before its time."""

from collections.abc import Sequence

from clients_register.conformance.findings import Exchange, Finding
from clients_register.conformance.fuzzing.oracle import Outcome
from clients_register.conformance.model import Send

# What a finding is about where another status answered.
STATUS = "status"


class Gone(Exception):
    """The target does not answer any more; the message says how that was seen."""


class Violation(Exception):
    """An answer that is not right.

    `send` made the request, if a case can send it, and `outcomes` were right. `states` were
    arranged before, `about` tells what was done or was to be shown.
    """

    def __init__(
        self,
        layer: str,
        exchange: Exchange,
        findings: list[Finding],
        send: Send | None = None,
        outcomes: Sequence[Outcome] = (),
    ) -> None:
        self.outcomes = tuple(outcomes)
        self.layer = layer
        self.exchange = exchange
        self.findings = findings
        self.send = send
        self.states: tuple[str, ...] = ()
        self.about = ""
        super().__init__(layer)

    @property
    def size(self) -> int:
        """How much it took, to tell which of two sights is the simpler one."""
        shown = self.exchange.shown
        before = len(self.about)
        return before + len(shown.body) + sum(map(len, (*sum(shown.headers, ()), shown.method)))

    @property
    def mark(self) -> str:
        """What two sights of one fault have in common."""
        first = self.findings[0]
        if first.what == STATUS:
            return f"status: expected {first.expected}, found {first.received}"
        # What else is expected and found has addresses and the like in it, new each time.
        return first.what
