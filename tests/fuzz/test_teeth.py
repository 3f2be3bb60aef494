"""Each layer finds the faults in its scope, and finds none in the correct server."""

import pytest
from support.live import LiveStub
from support.suite import base, explored, mutant

from clients_register.conformance.fuzz import LAYERS, search

# Each is a campaign of hundreds or thousands of requests.
pytestmark = pytest.mark.soak

# A fault for each layer. With each of eight seeds a fifth of the budget was enough to find it.
SHALLOW = [
    ("order", "missing-as-invalid", 450),
    ("schema", "any-company-known", 150),
    ("parameters", "first-name-lost", 100),
    ("envelopes", "any-base64-read", 800),
    ("sequences", "unused-for-ever", 1000),
]

# Faults that the layer before cannot see, some of which take thousands of requests.
DEEP = [
    ("schema", "types-coerced-to-strings", 1500),
    ("parameters", "names-trimmed", 1500),
    ("envelopes", "nan-read", 3000),
    ("envelopes", "any-base64-read", 1500),
    ("sequences", "eight-days", 2500),
    ("sequences", "liaison-counts-for-nothing", 2500),
]


@pytest.mark.parametrize(("layer", "name", "requests"), SHALLOW)
def test_a_shallow_fault_is_found(
    monkeypatch: pytest.MonkeyPatch, layer: str, name: str, requests: int
) -> None:
    monkeypatch.setattr(search, "MAX_SHRINKING", 20)
    with mutant(name) as url, explored(url, requests, layer, first=True) as (found, _):
        assert [each.layer for each in found.violations[:1]] == [layer]


@pytest.mark.parametrize(("layer", "name", "requests"), DEEP)
def test_a_deep_fault_is_found(layer: str, name: str, requests: int) -> None:
    with mutant(name) as url, explored(url, requests, layer, first=True) as (found, _):
        assert [each.layer for each in found.violations[:1]] == [layer]


def test_a_sequence_is_told_step_by_step_and_is_short() -> None:
    with (
        mutant("use-not-counted") as url,
        explored(url, 3000, "sequences", first=True) as (campaign, _),
    ):
        first = campaign.violations[0]
    steps = first.about.split("; ")
    assert len(steps) <= 6, steps
    assert any("pass" in step for step in steps)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_finds_nothing_in_the_right_server(stub: LiveStub, layer: str) -> None:
    with explored(base(stub), 1000, layer) as (campaign, ended):
        assert [each.signature for each in campaign.violations] == []
        assert ended == "the budget is spent"
        assert campaign.coverage.requests[layer] > 700


@pytest.mark.parametrize("seed", range(4))
def test_a_long_campaign_finds_nothing_in_the_right_server(stub: LiveStub, seed: int) -> None:
    with explored(base(stub), 2500, seed=seed) as (campaign, _):
        assert [each.signature for each in campaign.violations] == []
