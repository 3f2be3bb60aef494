"""Runs that somebody interrupts: what they leave, and what they are not taken for."""

import asyncio
import os
import signal
from dataclasses import replace

import pytest
from support.live import LiveStub
from support.suite import base

from clients_register.conformance.case import Case, load_cases, parse_cases, select_cases
from clients_register.conformance.control import ControlClient
from clients_register.conformance.http_client import HttpClient
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


STEPS = """
area: steps
about: A step before the judged request has expectations of its own.
cases:
  - id: steps/first
    title: the first request is judged, too
    before:
      - send: {{}}
        keep: {{kept: {pointer}}}
        expect: [{{status: {expected}}}]
    send: {{}}
    expect: [{{status: {taken}}}]
"""


@pytest.mark.parametrize("pointer", ["/data/id", "/nowhere"])
def test_a_step_that_is_not_as_expected_fails_the_case(stub: LiveStub, pointer: str) -> None:
    statuses = load_statuses()
    taken = statuses.for_rule("email_is_free").slug
    text = STEPS.format(pointer=pointer, expected=taken, taken=taken)
    cases = parse_cases({"steps.yaml": text}, statuses, {})
    target = target_for_url(base(stub), control=True)
    (result,) = asyncio.run(run_cases(cases, target, statuses))
    (missed,) = [each for each in result.findings if each.verdict is not Verdict.PASS]
    assert (result.verdict, missed.expected, missed.exchange) == (Verdict.FAIL, taken, 0)


def test_the_requests_of_a_case_use_one_connection(stub: LiveStub) -> None:
    sent: list[object] = []
    acquire = HttpClient._acquire

    async def recorded(client: HttpClient) -> object:
        connection = await acquire(client)
        sent.append(connection)
        return connection

    cases = select_cases(load_cases(), ["email-taken/the-first-stays"])
    target = target_for_url(base(stub), control=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HttpClient, "_acquire", recorded)
        (result,) = asyncio.run(run_cases(cases, target, load_statuses()))
    assert len(result.exchanges) == len(sent) == 3
    assert len(set(map(id, sent))) == 1
