"""Schemathesis on the decoded parameters in the process of the server, without a socket."""

from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from clients_register.conformance.exchange import RunContext
from clients_register.conformance.fuzz.checker import Checker, Sandbox
from clients_register.conformance.fuzz.coverage import CampaignCoverage
from clients_register.conformance.fuzz.model import initial_model
from clients_register.conformance.fuzz.schemathesis_layer import (
    LAYER,
    SchemathesisRun,
    load_schema,
    run_schemathesis,
)
from clients_register.conformance.states import StateArranger
from clients_register.conformance.target import Limiter, target_for_url
from clients_register.handlers.clock import SystemClock
from clients_register.handlers.settings import Settings
from clients_register.handlers.stub.build import open_stub
from clients_register.spec.statuses import load_statuses

pytestmark = pytest.mark.once


def test_no_phase_finds_fault_with_the_application(tmp_path: Path) -> None:
    settings = Settings(port=0, bcrypt_cost=4, data=tmp_path / "data.json")
    target = target_for_url("http://127.0.0.1/api/v1", control=True)
    tally = CampaignCoverage()
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_stub(settings, SystemClock())) as product,
    ):
        run = RunContext(
            target, target.client(), Limiter(target.limits), load_statuses(), "in-process"
        )
        # Without a control plane, stored clients cannot be observed; no other check needs one.
        sandbox = Sandbox(StateArranger(target, None, None), initial_model(target), None, "")
        examiner = Checker(run, sandbox, tally, strict=True)
        sight = SchemathesisRun(examiner, portal.call, lambda: run.limiter.requests >= 400)
        loaded = load_schema(sandbox.model, examples=100, seed=1)
        loaded.app = product.app
        found = list(run_schemathesis(loaded, sight))
    assert [each.signature for each in found] == []
    assert tally.requests[LAYER] > 200
