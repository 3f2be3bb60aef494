"""The budget of a campaign: its requests and seconds are bounds, shrinking included."""

import asyncio
import json
import os
import signal
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from support.command import call
from support.live import LiveStub
from support.servers import serving
from support.suite import base, explored, fuzzed, profile

from clients_register.conformance.fuzz import LAYERS, precedence
from clients_register.conformance.fuzz.campaign import (
    SPENT,
    Budget,
    CampaignEnded,
    Plan,
    new_campaign,
)
from clients_register.conformance.fuzz.command import DEFAULT_REQUESTS
from clients_register.conformance.fuzz.exploration import explore
from clients_register.conformance.fuzz.layers import run_layers
from clients_register.conformance.profiles import load_profile
from clients_register.conformance.results import Verdict
from clients_register.conformance.target import target_for_url
from clients_register.spec.statuses import load_statuses

pytestmark = pytest.mark.no_cover

# Requests of the smoke test, and the one about the application.
SMOKE = 6

# Layers that shrink what they find; malformed requests are generated and shrunk as parameters are.
SHRINKING = ("schema", "parameters", "sequences")

# Bytes of a request, by layer, that most of its examples do not have, so that shrinking takes a
# while. Examples that are not shrunk, as in the first phases of the schema layer, have none.
LARGE = {"schema": 700, "parameters": 300, "sequences": 300}

# Requests within which the fault is found.
ENOUGH = {"schema": 50, "parameters": 50, "sequences": 300}


def received(stub: LiveStub) -> int:
    """Counts the requests to the API of a stub in all worlds, including deleted ones."""
    counted = stub.control("GET", "/coverage").json()["statuses"]
    return sum(each["natural"] for each in counted)


class Tampering:
    """A server in front of a stub that answers wrongly at times: to requests of over `large` bytes.

    The first answers are right. `count` is the number of requests so far, and `first` that of the
    first wrong answer. The request of number `at` triggers `action`, whose result, if any, is a
    header of all answers from then on.
    """

    def __init__(self, stub: LiveStub) -> None:
        self.count = self.first = self.at = self.large = 0
        self.action: Callable[[], bytes | None] = lambda: None
        self._address = urlsplit(stub.origin)
        self._header = b"X-Nothing: x"

    async def __call__(self, reader: StreamReader, writer: StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(
            self._address.hostname, self._address.port
        )
        try:
            while True:
                head, body = await receive(reader)
                self.count += 1
                if self.count == self.at:
                    self._header = self.action() or self._header
                if len(body) > self.large and self.count > SMOKE + 3:
                    self.first = self.first or self.count
                    answer = b"HTTP/1.1 418 I am a teapot\r\nContent-Length: 2", b"{}"
                else:
                    inner_writer.write(head + body)
                    answer = await receive(inner_reader)
                first, _, others = answer[0].rstrip().partition(b"\r\n")
                lines = (first, self._header, others, b"", answer[1])
                writer.write(b"\r\n".join(lines))
                await writer.drain()
        finally:
            inner_writer.close()


async def receive(reader: StreamReader) -> tuple[bytes, bytes]:
    """The head and the body of a message with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
    return head, await reader.readexactly(int(length or 0))


@contextmanager
def tampering(
    stub: LiveStub, layer: str, at: int = 0, action: Callable[[], bytes | None] = lambda: None
) -> Iterator[tuple[str, Tampering]]:
    """The base URL of such a server, and the server."""
    server = Tampering(stub)
    server.at, server.action, server.large = at, action, LARGE[layer]
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serving(server)) as origin,
    ):
        yield origin + stub.settings.base_path, server


@pytest.fixture(scope="module")
def faults(shared_stub: LiveStub, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], int]:
    """Finds the number of the request, without the smoke test, with which a layer finds the fault.

    It is the same in every campaign of one seed.
    """

    @cache
    def find(layer: str) -> int:
        tmp_path = tmp_path_factory.mktemp(layer)
        with tampering(shared_stub, layer) as (url, server):
            file = profile(tmp_path, base=url)
            budget = ("--requests", str(ENOUGH[layer]))
            code, report, said = fuzzed(tmp_path, "--profile", file, *asked(layer), *budget)
        assert code == 1, said
        found = server.first - SMOKE
        # Shrinking is not over two requests later.
        assert report["fuzz"]["requests"] > found + 2
        return found

    return find


def asked(layer: str) -> tuple[str, ...]:
    return ("--layer", layer, "--seed", "1")


def kept(folder: Path, number: int) -> Path:
    """A corpus with `number` cases of one request each."""
    expect = [{"status": load_statuses().success.slug}]
    cases = [
        {"id": f"fuzz/kept-{each}", "title": "a case", "claims": "core", "expect": expect}
        for each in range(number)
    ]
    folder.mkdir()
    document = {"area": "fuzz", "about": "Kept.", "cases": cases}
    (folder / "kept.yaml").write_text(json.dumps(document), "utf-8")
    return folder


@pytest.mark.parametrize("requests", [1, 2, 7, 30, 100])
def test_no_more_is_sent_than_the_budget_allows(
    stub: LiveStub, tmp_path: Path, requests: int
) -> None:
    asked = ("--seed", "1", "--requests", str(requests))
    code, report, said = fuzzed(tmp_path, base(stub), *asked)
    assert code == 0, said
    assert report["fuzz"]["requests"] == requests
    # Malformed HTTP is answered without a status of the API.
    assert received(stub) <= requests + SMOKE


@pytest.mark.parametrize("requests", [1, 10, 40])
@pytest.mark.parametrize("layer", [each for each in LAYERS if each != "envelopes"])
def test_each_layer_keeps_the_budget(stub: LiveStub, layer: str, requests: int) -> None:
    with explored(base(stub), requests, layer) as (campaign, ended):
        assert ended == SPENT
        assert campaign.finished == [layer]
        assert campaign.requests == requests
    assert received(stub) == requests


@pytest.mark.parametrize("layer", SHRINKING)
def test_shrinking_keeps_the_budget_and_says_that_it_ended(
    shared_stub: LiveStub, faults: Callable[[str], int], tmp_path: Path, layer: str
) -> None:
    requests = faults(layer) + 2
    with tampering(shared_stub, layer) as (url, server):
        file = profile(tmp_path, base=url)
        budget = ("--requests", str(requests))
        code, report, said = fuzzed(tmp_path, "--profile", file, *asked(layer), *budget)
    assert code == 1, said
    assert report["fuzz"]["requests"] == server.count - SMOKE == requests
    assert f"not shrunk to the end: {SPENT}" in said


@pytest.mark.parametrize("layer", SHRINKING)
def test_shrinking_keeps_the_seconds(
    shared_stub: LiveStub, faults: Callable[[str], int], tmp_path: Path, layer: str
) -> None:
    seconds = faults(layer) + 2
    with tampering(shared_stub, layer) as (url, server):
        target = load_profile(Path(profile(tmp_path, base=url)))
        server.count = SMOKE
        limiter = target.limiter()
        # A second passes with each request.
        plan = Plan(
            (layer,),
            1,
            Budget(10_000, seconds=seconds),
            limiter=limiter,
            clock=lambda: float(limiter.requests),
        )
        with new_campaign(target, load_statuses(), plan) as campaign:
            assert run_layers(campaign) == (SPENT, "")
        assert server.count - SMOKE == campaign.requests == seconds
        assert SPENT in {each.unshrunk for each in campaign.violations}


def test_a_request_that_waits_is_given_up_when_the_seconds_are_spent(stub: LiveStub) -> None:
    ticks = count()
    budget = Budget(1000, seconds=2.0)
    plan = Plan(("order",), 1, budget, clock=lambda: float(next(ticks)))
    with new_campaign(target_for_url(base(stub), control=True), load_statuses(), plan) as made:
        with pytest.raises(CampaignEnded, match=SPENT):
            made.call(anyio.sleep_forever)
        assert made.sandboxes.gave_up


ENDS = {
    "limit": "the profile allows no more",
    "interruption": "interrupted",
    "gone": "the target does not respond any more",
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("layer", SHRINKING)
def test_a_violation_is_reported_whatever_ends_its_shrinking(
    shared_stub: LiveStub, faults: Callable[[str], int], tmp_path: Path, layer: str, end: str
) -> None:
    last = faults(layer) + 2

    def action() -> bytes | None:
        if end == "interruption":
            os.kill(os.getpid(), signal.SIGINT)
        return b"Mock-Forced: prefer" if end == "gone" else None

    with tampering(shared_stub, layer, SMOKE + last, action) as (url, _):
        limits = f"limits: {{requests: {last}}}" if end == "limit" else ""
        file = profile(tmp_path, base=url, more=limits)
        code, report, said = fuzzed(tmp_path, "--profile", file, *asked(layer))
    assert code == 1, said
    assert report["fuzz"]["ended"] == ENDS[end]
    assert f"not shrunk to the end: {ENDS[end]}" in said


def test_what_a_campaign_sends_is_stated_before_and_the_corpus_apart(
    stub: LiveStub, tmp_path: Path
) -> None:
    corpus = kept(tmp_path / "kept", 3)
    asked = ("--corpus", str(corpus), "--requests", "12", "--layer", "parameters", "--seed", "1")
    done = call("fuzz", base(stub), *asked, "--seconds", "9000")
    assert done.returncode == 0, done.stdout
    assert done.stderr == (
        "the campaign sends at most 12 requests in 9000 seconds, after at most 6 of the smoke test"
        " and at most 3 that replay 3 cases of the corpus\n"
    )
    # The application of a stub is known.
    assert received(stub) == 12 + SMOKE - 1 + 3


def test_the_replay_of_the_corpus_keeps_the_seconds(stub: LiveStub, tmp_path: Path) -> None:
    target = target_for_url(base(stub), control=True)
    limiter = target.limiter(1000)
    budget = Budget(1000, seconds=10.0)
    plan = Plan(("parameters",), 1, budget, limiter=limiter, clock=lambda: limiter.requests)
    found = explore(target, load_statuses(), plan, kept(tmp_path / "kept", 40), ["fuzz"])
    assert received(stub) == limiter.requests == 10
    verdicts = [each.verdict for each in found.results]
    assert verdicts == [Verdict.PASS] * 10 + [Verdict.NOT_ARRANGED] * 31
    assert found.summary["requests"] == 0


@pytest.mark.parametrize("limit", [20, 40, 60])
def test_cases_corpus_and_campaign_keep_the_limits_of_a_profile_together(
    stub: LiveStub, tmp_path: Path, limit: int
) -> None:
    file = profile(tmp_path, base=base(stub), more=f"limits: {{requests: {limit}}}")
    corpus = kept(tmp_path / "kept", 10)
    only = ("--only", "media-type/*")
    campaign = ("--fuzz", "100", "--seed", "1", "--corpus", str(corpus))
    call("verify", "--profile", file, *only, *campaign)
    (world,) = stub.control("GET", "/worlds").json()
    assert world["requests"] == limit + SMOKE


def test_a_layer_that_the_budget_does_not_reach_has_not_passed(
    stub: LiveStub, tmp_path: Path
) -> None:
    _, report, said = fuzzed(tmp_path, base(stub), "--seed", "1", "--requests", "1")
    verdicts = [each["verdict"] for each in report["cases"]]
    assert sorted(verdicts) == ["not-arranged"] * 4 + ["pass"]
    assert "the budget did not reach" in said


@pytest.mark.once
def test_the_default_budget_has_room_for_all_pairs_of_faults(stub: LiveStub) -> None:
    share = round(LAYERS["order"].ends_at * DEFAULT_REQUESTS)
    with explored(base(stub), share, "order") as (campaign, _):
        sent = campaign.matrix.statuses.keys()
    for size in (1, 2):
        for faults in precedence.combinations_of(size):
            assert tuple(each.name for each in faults) in sent
