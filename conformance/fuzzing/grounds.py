"""The ground of a sequence: two worlds of our stub, their clocks in hand, or a target as it is."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from clients_register.conformance.arranging import NotArranged
from clients_register.conformance.composing import Values
from clients_register.conformance.fuzzing.campaign import Campaign
from clients_register.conformance.fuzzing.examining import Examiner
from clients_register.conformance.fuzzing.ordering import registering
from clients_register.conformance.fuzzing.worlds import Place
from clients_register.conformance.model import Send

LAYER = "sequences"

# Where the clocks of a sequence begin. The models count from there.
BEGINNING = datetime(2030, 1, 1, tzinfo=UTC)


class TwoWorlds:
    """Where a sequence goes on. On a target without worlds there is one.

    Every call waits until it is done.
    """

    def __init__(self, campaign: Campaign) -> None:
        self._call = campaign.call
        self._restart = campaign.plan.restart
        self._places: list[Place] = []
        with ExitStack() as stack:
            self._places.append(stack.enter_context(campaign.place()))
            if self.controlled:
                self._places.append(stack.enter_context(campaign.place()))
            self._set_clocks()
            # Whatever is raised above, the worlds are left.
            self._stack = stack.pop_all()
        self._examiners = [campaign.examiner(place) for place in self._places]
        self.worlds = len(self._places)

    @property
    def controlled(self) -> bool:
        """Whether time and faults are in its hands."""
        return self._places[0].control is not None

    @property
    def restart(self) -> Callable[[], None] | None:
        """Stops the server and starts it, and sets the clocks, which a restart loses, as before."""
        return self._restarted if self._restart is not None else None

    def examiner(self, world: int) -> Examiner:
        """That of one of its worlds."""
        return self._examiners[world]

    def ask(self, world: int, send: Send, values: Values) -> Any:
        """The envelope of an answer that is right; raises Violation."""
        exchange, _ = self._call(self._examiners[world].ask, LAYER, send, values)
        return exchange.envelope

    def race(self, world: int, send: Send, values: Values, times: int) -> None:
        """Sends at once, so often; raises Violation unless one succeeds and the others are late."""
        self._call(self._examiners[world].race, LAYER, send, values, times)

    def arrange(self, world: int, state: str, values: Values) -> Mapping[str, Any] | None:
        """What a state gives; None where there is no way to it."""
        examiner = self._examiners[world]

        async def reach() -> Mapping[str, Any] | None:
            try:
                await examiner.arranger.reach(state, values, registering(examiner, values))
            except NotArranged:
                return None
            return values.given()

        given: Mapping[str, Any] | None = self._call(reach)
        return given

    def advance(self, world: int, step: timedelta) -> None:
        """Lets time pass in one world."""
        if step:
            passed = f"PT{int(step.total_seconds())}S"
            self._put(world, "/clock", {"advance": passed, "frozen": True})

    def break_(self, world: int, faults: Mapping[str, Any]) -> None:
        """Has exactly these faults in one world."""
        self._put(world, "/faults", faults)

    def close(self) -> None:
        """Forgets the worlds."""
        self._stack.close()

    def _restarted(self) -> None:
        assert self._restart is not None, "who asks has looked"
        self._restart()
        self._set_clocks()

    def _set_clocks(self) -> None:
        for number, place in enumerate(self._places):
            now = (BEGINNING + place.world.now).isoformat()
            self._put(number, "/clock", {"now": now, "frozen": True})

    def _put(self, world: int, path: str, body: Mapping[str, Any]) -> None:
        control = self._places[world].control
        if control is not None:
            self._call(control.call, "PUT", path, body)
