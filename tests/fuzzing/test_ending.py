"""How a campaign ends, and what is told where it did not come to its own end."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from support.fuzzing import explored, fuzzed
from support.process import COMMAND, PATIENCE, environment, free_port, run, serving, until
from support.stub import LiveStub
from support.verifying import base, profile

from clients_register.conformance import interrupting, reporting
from clients_register.conformance.fuzzing import LAYERS
from clients_register.conformance.fuzzing.campaign import SPENT, Budget, Campaign, Ended, Plan
from clients_register.conformance.fuzzing.explored import Explored
from clients_register.conformance.fuzzing.exploring import explore_machine
from clients_register.conformance.fuzzing.running import campaign
from clients_register.conformance.interrupting import interrupts, terminations
from clients_register.conformance.target import of_url
from clients_register.conformance.verdicts import Exit
from clients_register.spec.catalogue import catalogue


def test_it_ends_when_the_requests_are_spent(stub: LiveStub) -> None:
    with explored(base(stub), 100, "parameters") as (campaign, ended):
        assert campaign.run.gate.requests == 100
        assert ended == "the budget is spent"


@pytest.mark.parametrize("requests", [2, 60, 400])
def test_it_ends_so_in_whatever_schemathesis_is_doing(stub: LiveStub, requests: int) -> None:
    with explored(base(stub), requests, "schema", "envelopes") as (campaign, ended):
        assert ended == "the budget is spent"
        assert campaign.finished == ["schema", "envelopes"]


def test_whoever_interrupts_as_the_requests_are_spent_has_interrupted(
    stub: LiveStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(_campaign: Campaign, _share: float) -> int:
        if threading.current_thread() is threading.main_thread():
            return 1
        os.kill(os.getpid(), signal.SIGINT)
        return 0

    monkeypatch.setattr(Campaign, "left", left)
    with explored(base(stub), 100, "schema") as (campaign, ended):
        assert ended == "interrupted"
        assert campaign.finished == []


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


class Steps(RuleBasedStateMachine):
    """A sequence that ends with one of its steps, which are counted through all examples."""

    watch: AbstractContextManager[Any] = nullcontext()

    def __init__(self, left: Iterator[int]) -> None:
        super().__init__()
        self.left = left

    @rule(_drawn=st.integers(0, 9))
    def step(self, _drawn: int) -> None:
        if next(self.left, None) is None:
            raise Ended("so")


@pytest.mark.parametrize("steps", range(1, 600, 23))
def test_an_end_is_none_of_hypothesis_findings_in_whichever_example_it_comes(steps: int) -> None:
    left = iter(range(steps))
    with pytest.raises(Ended, match="so"):
        explore_machine(lambda: Steps(left), 1, lambda: None)


def test_an_interruption_ends_a_request_that_waits(stub: LiveStub) -> None:
    plan = Plan(("order",), 1, Budget(1000))
    with campaign(of_url(base(stub), control=True), catalogue(), plan) as made:

        async def forever() -> None:
            os.kill(os.getpid(), signal.SIGINT)
            await anyio.sleep_forever()

        with pytest.raises(Ended, match="interrupted"):
            made.call(forever)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_who_is_told_twice_at_once_was_told_once(number: int) -> None:
    with terminations(), interrupts() as seen:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
    assert set(seen) == {signal.SIGINT}


def test_who_interrupts_twice_does_not_wait_for_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupting, "ONCE", 0.0)
    with interrupts() as seen:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert list(seen) == [signal.SIGINT] * 2


def test_an_interruption_of_the_kept_cases_ends_it_before_it_explores(
    stub: LiveStub, tmp_path: Path
) -> None:
    expect = [{"status": catalogue().success.slug, "grade": "documented"}]
    kept = [
        {"id": f"fuzz/kept-{number}", "title": "a case", "claims": "core", "expect": expect}
        for number in range(100)
    ]
    (tmp_path / "corpus").mkdir()
    cases = json.dumps({"area": "fuzz", "about": "Kept.", "cases": kept})
    (tmp_path / "corpus" / "kept.yaml").write_text(cases)
    slow = profile(tmp_path, base=base(stub), more="limits: {requests_per_second: 20}")
    with begun(tmp_path, "order", "--profile", slow) as process:
        until(lambda: not all(each["persona"] for each in stub.control("GET", "/clients").json()))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (5, "")
    assert out.startswith("interrupted; nothing was judged")
    report = reporting.read(tmp_path / "fuzz.json")
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
    done = run("verify", "--profile", file, *asked, "--report", str(report))
    assert done.returncode == 5, done.stdout
    verdicts = {each["id"]: each["verdict"] for each in json.loads(report.read_text())["cases"]}
    assert {verdicts[f"fuzz/{layer}"] for layer in LAYERS} == {"not-arranged"}


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        ({"overloaded": 1}, Exit.DEFECT),
        ({"layers": {}}, Exit.TOO_LITTLE),
        ({"ended": "interrupted"}, Exit.TOO_LITTLE),
        ({}, Exit.GOOD),
    ],
)
def test_what_was_not_judged_is_no_success(counts: dict[str, Any], code: Exit) -> None:
    told = {"requests": 9, "seed": 1, "ended": SPENT, "why": "", "layers": {"order": 9}}
    told |= {"overloaded": 0, "unparseable": 0} | counts
    assert Explored([], told, {}, []).decision(strict=False)[0] is code


def test_a_server_that_goes_away_is_no_success(tmp_path: Path) -> None:
    port = free_port()
    code, report, said = fuzzed(tmp_path, f"http://127.0.0.1:{port}/api/v1")
    assert (code, report) == (3, {}), said


@contextmanager
def begun(tmp_path: Path, layer: str, *target: str) -> Iterator[subprocess.Popen[str]]:
    """A campaign that has sent some requests, and is far from its end."""
    argv = ("--layer", layer, "--requests", "100000", "--seed", "1", "--quiet")
    files = ("--corpus", str(tmp_path / "corpus"), "--report", str(tmp_path / "fuzz.json"))
    with subprocess.Popen(
        [*COMMAND, "fuzz", *target, *argv, *files],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def asked(origin: str) -> int:
    """How many requests a stub was asked in all worlds."""
    return sum(each["requests"] for each in httpx.get(f"{origin}/_mock/worlds").json())


@pytest.mark.parametrize("layer", LAYERS)
def test_a_server_that_dies_meanwhile_is_told_of_in_a_line(tmp_path: Path, layer: str) -> None:
    with serving("--data", str(tmp_path / "data.json")) as server:
        base = server.url.removesuffix("/clients/register")
        origin = base.removesuffix("/api/v1")
        with begun(tmp_path, layer, base) as process:
            until(lambda: asked(origin) > 20)
            server.tell(signal.SIGKILL)
            out, err = process.communicate(timeout=PATIENCE)
    # That the request under way was not answered is a fault, and the only one.
    assert process.returncode in (1, 4)
    assert err == ""
    assert "does not answer any more" in out or "1 faults" in out


@pytest.mark.parametrize(
    ("layer", "number"),
    [*((layer, signal.SIGINT) for layer in LAYERS), ("sequences", signal.SIGTERM)],
)
def test_whoever_interrupts_has_a_report_and_leaves_no_world(
    stub: LiveStub, tmp_path: Path, layer: str, number: signal.Signals
) -> None:
    with begun(tmp_path, layer, base(stub)) as process:
        until(lambda: asked(stub.origin) > 20)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (5, "")
    assert out.startswith("interrupted")
    assert reporting.read(tmp_path / "fuzz.json")["exit_code"] == 5
    assert [each["name"] for each in stub.control("GET", "/worlds").json()] == ["default"]
