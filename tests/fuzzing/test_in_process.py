"""Schemathesis on the decoded parameters in the process of the server, without a socket."""

from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from clients_register.conformance.arranging import Arranger
from clients_register.conformance.fuzzing import schema
from clients_register.conformance.fuzzing.examining import Examiner
from clients_register.conformance.fuzzing.tally import Tally
from clients_register.conformance.fuzzing.worlds import Place, model
from clients_register.conformance.gate import Gate
from clients_register.conformance.judging import Run
from clients_register.conformance.target import of_url
from clients_register.handlers.clock import SystemClock
from clients_register.handlers.settings import Settings
from clients_register.handlers.stub.build import open_stub
from clients_register.spec.statuses import load_statuses

pytestmark = pytest.mark.once


def test_no_phase_finds_fault_with_the_application(tmp_path: Path) -> None:
    settings = Settings(port=0, bcrypt_cost=4, data=tmp_path / "data.json")
    target = of_url("http://127.0.0.1/api/v1", control=True)
    tally = Tally()
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_stub(settings, SystemClock())) as product,
    ):
        run = Run(target, target.wire(), Gate(target.limits), load_statuses(), "in-process")
        # Who is stored cannot be asked for over the wire; nothing else needs one.
        place = Place(Arranger(target, None, None), model(target), None, "")
        examiner = Examiner(run, place, tally, strict=True)
        sight = schema.Sight(examiner, portal.call, lambda: run.gate.requests >= 400)
        loaded = schema.loaded(place.world, examples=100, seed=1)
        loaded.app = product.app
        found = list(schema.explore(loaded, sight))
    assert [each.mark for each in found] == []
    assert tally.requests[schema.LAYER] > 200
