"""The ends of a campaign, and the report of one that did not run to its end."""

import json
import math
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from support.command import COMMAND, call, environment, serving
from support.limits import LIMIT, until
from support.live import LiveStub
from support.suite import base, explored, fuzzed, profile

from clients_register.conformance import interrupts
from clients_register.conformance.case import Case
from clients_register.conformance.decision import ExitCode
from clients_register.conformance.exchange import Exchange
from clients_register.conformance.fuzz import LAYERS
from clients_register.conformance.fuzz import search as search_module
from clients_register.conformance.fuzz.campaign import (
    GONE,
    SPENT,
    Budget,
    Campaign,
    CampaignEnded,
    Plan,
    new_campaign,
)
from clients_register.conformance.fuzz.checker import ContractViolation
from clients_register.conformance.fuzz.exploration import CampaignResult
from clients_register.conformance.fuzz.layers import run_layers
from clients_register.conformance.fuzz.search import search, search_machine
from clients_register.conformance.grades import Grade
from clients_register.conformance.http_client import HttpRequest, HttpResponse
from clients_register.conformance.interrupts import collect_interrupts, termination_as_interrupt
from clients_register.conformance.report import load_report
from clients_register.conformance.results import Finding, Result, Verdict
from clients_register.conformance.target import Limiter, target_for_url
from clients_register.spec.statuses import load_statuses

# Coverage slows campaigns down, and other tests reach the same lines.
pytestmark = pytest.mark.no_cover


def test_it_ends_when_the_requests_are_spent(stub: LiveStub) -> None:
    with explored(base(stub), 100, "parameters") as (campaign, ended):
        assert campaign.run.limiter.requests == 100
        assert ended == "the budget is spent"


@pytest.mark.once
@pytest.mark.parametrize("requests", [2, 150])
def test_it_ends_so_in_whatever_schemathesis_is_doing(stub: LiveStub, requests: int) -> None:
    with explored(base(stub), requests, "schema", "envelopes") as (campaign, ended):
        assert ended == "the budget is spent"
        assert campaign.finished == ["schema", "envelopes"]


def test_it_ends_when_the_seconds_are_spent(stub: LiveStub) -> None:
    now = 100.0

    def clock() -> float:
        return now

    def heard(_campaign: Campaign, _layer: str) -> None:
        nonlocal now
        now += 1.0

    budget = Budget(100_000, seconds=20.0)
    plan = Plan(("parameters", "envelopes"), 1, budget, on_progress=heard, clock=clock)
    with new_campaign(target_for_url(base(stub), control=True), load_statuses(), plan) as made:
        assert run_layers(made) == (SPENT, "")
        assert made.finished == ["parameters", "envelopes"]
        assert made.seconds == 20.0
        assert 0 < made.run.limiter.requests < 60


def test_whoever_interrupts_as_the_requests_are_spent_has_interrupted(
    stub: LiveStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(_campaign: Campaign, _share: float) -> int:
        if threading.current_thread() is threading.main_thread():
            return 1
        os.kill(os.getpid(), signal.SIGINT)
        return 0

    monkeypatch.setattr(Campaign, "remaining_requests", left)
    with explored(base(stub), 100, "schema") as (campaign, ended):
        assert ended == "interrupted"
        assert campaign.finished == []
    assert worlds(stub) == ["default"]


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer != "schema"])
def test_an_interruption_raises_nothing_where_it_happens_and_ends_it_with_the_next_request(
    stub: LiveStub, monkeypatch: pytest.MonkeyPatch, layer: str
) -> None:
    call, calls = Campaign.call, count()

    def interrupted(campaign: Campaign, *asked: Any) -> Any:
        if next(calls) == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return call(campaign, *asked)

    monkeypatch.setattr(Campaign, "call", interrupted)
    with explored(base(stub), 1000, layer) as (campaign, ended):
        assert ended == "interrupted"
        assert campaign.finished == []
        assert next(calls) == 21
    assert worlds(stub) == ["default"]


def test_shrinking_ends_after_so_many_examples_however_long_they_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search_module, "MAX_SHRINKING", 50)

    def tried(step: float) -> list[int]:
        """The examples of a round in which every look at the clock takes `step` seconds."""
        examples: list[int] = []
        ticks = count()

        def probe(number: int) -> None:
            examples.append(number)
            if number > 1000:
                answer = HttpResponse(200, (), str(number).encode(), 0.0, b"")
                exchange = Exchange("send", HttpRequest("POST", "/", (), answer.body), None, answer)
                finding = Finding.of("status", Grade.DECIDED, "400", "200", met=False)
                raise ContractViolation("parameters", exchange, [finding])

        with monkeypatch.context() as patches:
            patches.setattr("time.perf_counter", lambda: next(ticks) * step)
            patches.setattr("time.monotonic", lambda: next(ticks) * step)
            assert search(st.integers(0, 10**9), probe, 1, lambda: None) is not None
        return examples

    examples = tried(0.0)
    first = next(place for place, number in enumerate(examples) if number > 1000)
    assert len(examples) - first - 1 <= 50
    assert tried(1000.0) == examples


class Steps(RuleBasedStateMachine):
    """A sequence that ends with one of its steps, which are counted through all examples."""

    watch: AbstractContextManager[Any] = nullcontext()

    def __init__(self, left: Iterator[int]) -> None:
        super().__init__()
        self.left = left

    @rule(_drawn=st.integers(0, 9))
    def step(self, _drawn: int) -> None:
        if next(self.left, None) is None:
            raise CampaignEnded("so")


@pytest.mark.parametrize("steps", range(1, 600, 23))
def test_an_end_is_none_of_hypothesis_findings_in_whichever_example_it_comes(steps: int) -> None:
    left = iter(range(steps))
    with pytest.raises(CampaignEnded, match="so"):
        search_machine(lambda: Steps(left), 1, lambda: None)


def test_an_interruption_ends_a_request_that_waits(stub: LiveStub) -> None:
    plan = Plan(("order",), 1, Budget(1000))
    with new_campaign(target_for_url(base(stub), control=True), load_statuses(), plan) as made:

        async def forever() -> None:
            os.kill(os.getpid(), signal.SIGINT)
            await anyio.sleep_forever()

        with pytest.raises(CampaignEnded, match="interrupted"):
            made.call(forever)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_who_is_told_twice_at_once_was_told_once(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupts, "REPEAT_SECONDS", math.inf)
    with termination_as_interrupt(), collect_interrupts() as seen:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
    assert set(seen) == {signal.SIGINT}


def test_who_interrupts_twice_does_not_wait_for_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "REPEAT_SECONDS", 0.0)
    with collect_interrupts() as seen:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert list(seen) == [signal.SIGINT] * 2


def test_an_interruption_of_the_kept_cases_ends_it_before_it_explores(
    stub: LiveStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expect = [{"status": load_statuses().success.slug}]
    kept = [
        {"id": f"fuzz/kept-{number}", "title": "a case", "claims": "core", "expect": expect}
        for number in range(100)
    ]
    (tmp_path / "corpus").mkdir()
    cases = json.dumps({"area": "fuzz", "about": "Kept.", "cases": kept})
    (tmp_path / "corpus" / "kept.yaml").write_text(cases)
    pass_, passed = Limiter.acquire, count()

    async def interrupted(gate: Limiter, *, registers: bool) -> None:
        await pass_(gate, registers=registers)
        if next(passed) == 20:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Limiter, "acquire", interrupted)
    file = profile(tmp_path, base=base(stub))
    asked = ("--profile", file, "--layer", "order", "--seed", "1", "--quiet")
    code, report, said = fuzzed(tmp_path, *asked)
    assert code == 5
    assert said.startswith("interrupted; nothing was judged")
    assert report["fuzz"]["requests"] == 0
    assert report["created"]


def test_the_limits_of_a_profile_are_hard(stub: LiveStub, tmp_path: Path) -> None:
    file = profile(tmp_path, base=base(stub), more="limits: {requests: 50}")
    code, report, said = fuzzed(tmp_path, "--profile", file, "--seed", "1")
    assert code == 5, said
    assert report["fuzz"]["requests"] == 50
    assert "the profile allows no more" in said


def test_a_campaign_that_is_cut_short_is_no_success_beside_good_cases(
    stub: LiveStub, tmp_path: Path
) -> None:
    file = profile(tmp_path, base=base(stub), more="limits: {requests: 150}")
    report = tmp_path / "report.json"
    corpus = ("--corpus", str(tmp_path / "corpus"))
    asked = ("--only", "route/*", "--fuzz", "1000", "--seed", "1", *corpus)
    done = call("verify", "--profile", file, *asked, "--report", str(report))
    assert done.returncode == 5, done.stdout
    verdicts = {each["id"]: each["verdict"] for each in json.loads(report.read_text())["cases"]}
    assert {verdicts[f"fuzz/{layer}"] for layer in LAYERS} == {"not-arranged"}


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        ({"overloaded": 1}, ExitCode.DEFECT),
        ({"layers": {}}, ExitCode.INCONCLUSIVE),
        ({"ended": "interrupted"}, ExitCode.INCONCLUSIVE),
        ({}, ExitCode.SUCCESS),
    ],
)
def test_what_was_not_judged_is_no_success(counts: dict[str, Any], code: ExitCode) -> None:
    told = {"requests": 9, "seed": 1, "ended": SPENT, "why": "", "layers": {"order": 9}}
    told |= {"overloaded": 0, "unparseable": 0} | counts
    assert CampaignResult([], told, {}, []).decide(strict=False)[0] is code


def test_a_target_that_is_gone_is_in_the_headline_besides_its_faults() -> None:
    told = {"requests": 9, "seed": 1, "ended": GONE, "why": "refused", "layers": {"order": 9}}
    missed = Finding.of("status", Grade.DOCUMENTED, "one", "another", met=False)
    fault = Result(Case("fuzz/a", "fuzz", "Some fault"), Verdict.FAIL, findings=[missed])
    found = CampaignResult([fault], {**told, "overloaded": 0, "unparseable": 0}, {}, [])
    code, reason = found.decide(strict=False)
    assert code is ExitCode.VIOLATION
    assert "violates the contract: 1 fault in" in reason
    assert f"not everything could be judged: {GONE} (refused)" in reason


def test_a_server_that_is_not_there_is_no_success(tmp_path: Path) -> None:
    with socket.socket() as held:
        # It is bound and does not listen, so that every connection to it is refused.
        held.bind(("127.0.0.1", 0))
        code, report, said = fuzzed(tmp_path, f"http://127.0.0.1:{held.getsockname()[1]}/api/v1")
    assert (code, report) == (3, {}), said


@pytest.mark.parametrize("layer", LAYERS)
def test_a_server_that_stops_ends_the_campaign(
    start_stub: Callable[..., LiveStub], monkeypatch: pytest.MonkeyPatch, layer: str
) -> None:
    stub = start_stub()
    call, calls = Campaign.call, count()

    def stopped(campaign: Campaign, *asked: Any) -> Any:
        if next(calls) == 20:
            stub.stop()
        return call(campaign, *asked)

    monkeypatch.setattr(Campaign, "call", stopped)
    with explored(base(stub), 1000, layer) as (campaign, ended):
        assert ended == GONE
        assert campaign.finished == []
        assert campaign.violations == []


@contextmanager
def begun(tmp_path: Path, layer: str, target: str) -> Iterator[subprocess.Popen[str]]:
    """A campaign in a process of its own, far from its end."""
    argv = ("--layer", layer, "--requests", "100000", "--seed", "1", "--quiet")
    files = ("--corpus", str(tmp_path / "corpus"), "--report", str(tmp_path / "fuzz.json"))
    with subprocess.Popen(
        [*COMMAND, "fuzz", target, *argv, *files],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def requests_to(origin: str) -> int:
    """Counts the requests that a stub has answered in all worlds."""
    return sum(each["requests"] for each in httpx2.get(f"{origin}/_mock/worlds").json())


def worlds(stub: LiveStub) -> list[str]:
    return [each["name"] for each in stub.control("GET", "/worlds").json()]


def others(layer: str) -> list[Any]:
    """`layer` as a parameter in the gate, and the other layers in soak."""
    soak = [pytest.param(each, marks=pytest.mark.soak) for each in LAYERS if each != layer]
    return [layer, *soak]


@pytest.mark.parametrize("layer", others("parameters"))
def test_a_server_that_is_killed_meanwhile_is_told_of_in_a_line(tmp_path: Path, layer: str) -> None:
    with serving("--data", str(tmp_path / "data.json")) as server:
        base = server.url.removesuffix("/clients/register")
        origin = base.removesuffix("/api/v1")
        with begun(tmp_path, layer, base) as process:
            until(lambda: requests_to(origin) > 20)
            server.tell(signal.SIGKILL)
            out, err = process.communicate(timeout=LIMIT)
    # The only fault is that the request under way got no response.
    assert process.returncode in (1, 4)
    assert err == ""
    assert "does not respond any more" in out or "1 fault in" in out


@pytest.mark.parametrize("layer", others("schema"))
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)]
)
def test_whoever_interrupts_has_a_report_and_leaves_no_world(
    stub: LiveStub, tmp_path: Path, layer: str, number: signal.Signals
) -> None:
    with begun(tmp_path, layer, base(stub)) as process:
        until(lambda: requests_to(stub.origin) > 20)
        process.send_signal(number)
        out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, err) == (5, "")
    assert out.startswith("interrupted")
    assert load_report(tmp_path / "fuzz.json")["exit_code"] == 5
    assert worlds(stub) == ["default"]
