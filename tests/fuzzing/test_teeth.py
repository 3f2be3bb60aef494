"""Each layer finds what is its to find, and the right server gives none of them cause."""

import pytest
from support.fuzzing import explored, mutant
from support.stub import LiveStub
from support.verifying import base

# A fault that the layer before it cannot see.
FOUND = [
    ("order", "missing-as-invalid", 450),
    ("schema", "types-coerced-to-strings", 1500),
    ("parameters", "names-trimmed", 1500),
    ("envelopes", "nan-read", 3000),
    ("envelopes", "any-base64-read", 1500),
    ("sequences", "eight-days", 2500),
    ("sequences", "liaison-counts-for-nothing", 2500),
]


@pytest.mark.parametrize(("layer", "name", "requests"), FOUND)
def test_a_planted_fault_is_found(layer: str, name: str, requests: int) -> None:
    with mutant(name) as url, explored(url, requests, layer, first=True) as (campaign, _):
        assert [each.layer for each in campaign.violations[:1]] == [layer]


def test_a_sequence_is_told_step_by_step_and_is_short() -> None:
    with (
        mutant("use-not-counted") as url,
        explored(url, 3000, "sequences", first=True) as (campaign, _),
    ):
        first = campaign.violations[0]
    steps = first.about.split("; ")
    assert len(steps) <= 6, steps
    assert any("pass" in step for step in steps)


@pytest.mark.parametrize("seed", range(2))
def test_the_right_server_gives_no_cause(stub: LiveStub, seed: int) -> None:
    with explored(base(stub), 700, seed=seed) as (campaign, _):
        assert [each.mark for each in campaign.violations] == []
