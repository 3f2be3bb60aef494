"""Runs that somebody interrupts: what they leave, and what they are not taken for."""

import asyncio
import os
import signal
from dataclasses import replace

import pytest
from support.live import LiveStub
from support.suite import base

from clients_register.conformance.case import Case, load_cases, select_cases
from clients_register.conformance.control import ControlClient
from clients_register.conformance.results import Result, Verdict
from clients_register.conformance.runner import SuiteRunner, run_cases
from clients_register.conformance.target import Limiter, Target, target_for_url
from clients_register.spec.statuses import StatusTable, load_statuses


def one_case(stub: LiveStub) -> tuple[list[Case], Target, StatusTable]:
    cases = select_cases(load_cases(), ["route/post-registers"])
    return cases, target_for_url(base(stub), control=True), load_statuses()


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_who_interrupts_while_worlds_are_forgotten_leaves_none(
    stub: LiveStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = ControlClient.delete_world

    async def interrupted(control: ControlClient, name: str) -> None:
        if name.endswith("-1"):
            interrupt()
        await delete(control, name)

    monkeypatch.setattr(ControlClient, "delete_world", interrupted)
    going = SuiteRunner(*one_case(stub))
    assert not asyncio.run(going.run_until_cancelled())
    assert [each.verdict for each in going.results] == [Verdict.PASS]
    assert [each["name"] for each in stub.control("GET", "/worlds").json()] == ["default"]


def test_a_run_that_is_interrupted_has_no_results_for_who_did_not_ask_for_a_part(
    stub: LiveStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire = Limiter.acquire

    async def interrupted(limiter: Limiter, *, registers: bool) -> None:
        interrupt()
        await acquire(limiter, registers=registers)

    monkeypatch.setattr(Limiter, "acquire", interrupted)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(run_cases(*one_case(stub)))


@pytest.mark.parametrize("requests", [1, 7, 15])
def test_a_limit_in_the_middle_of_concurrent_requests_leaves_none_under_way(
    stub: LiveStub, requests: int
) -> None:
    cases = select_cases(load_cases(), ["email-taken/sixteen-at-once"])
    target = target_for_url(base(stub), control=True)
    target = replace(target, limits=replace(target.limits, requests=requests))
    received: list[bool] = []

    def on_result(result: Result) -> None:
        assert result.verdict is Verdict.NOT_ARRANGED
        received.extend(each.response is not None for each in result.exchanges)

    asyncio.run(SuiteRunner(cases, target, load_statuses(), on_result=on_result).run())
    assert received == [True] * requests
