"""Runs that somebody interrupts: what they leave, and what they are not taken for."""

import asyncio
import os
import signal

import pytest
from support.stub import LiveStub
from support.verifying import base

from clients_register.conformance import library
from clients_register.conformance.control import Control
from clients_register.conformance.gate import Gate
from clients_register.conformance.running import Runner, run
from clients_register.conformance.target import of_url
from clients_register.conformance.verdicts import Verdict
from clients_register.spec.statuses import load_statuses


def runner(stub: LiveStub) -> Runner:
    (case,) = library.chosen(library.shipped(), ["route/post-registers"])
    return Runner([case], of_url(base(stub), control=True), load_statuses())


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_who_interrupts_while_worlds_are_forgotten_leaves_none(
    stub: LiveStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = Control.delete_world

    async def interrupted(control: Control, name: str) -> None:
        if name.endswith("-1"):
            interrupt()
        await delete(control, name)

    monkeypatch.setattr(Control, "delete_world", interrupted)
    going = runner(stub)
    assert not asyncio.run(going.go_until_cancelled())
    assert [each.verdict for each in going.results] == [Verdict.PASS]
    assert [each["name"] for each in stub.control("GET", "/worlds").json()] == ["default"]


def test_a_run_that_is_interrupted_has_no_results_for_who_did_not_ask_for_a_part(
    stub: LiveStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_ = Gate.pass_

    async def interrupted(gate: Gate, *, registers: bool) -> None:
        interrupt()
        await pass_(gate, registers=registers)

    monkeypatch.setattr(Gate, "pass_", interrupted)
    going = runner(stub)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(run(going.cases, going.target, going.statuses))
