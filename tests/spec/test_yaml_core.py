"""Plain values of YAML, by the core schema of version 1.2."""

import math
from typing import Any

import pytest
import yaml

from clients_register.spec.yaml_core import CoreLoader

VALUES: dict[str, Any] = {
    "": None,
    "~": None,
    "null": None,
    "true": True,
    "FALSE": False,
    "042": 42,
    "+5": 5,
    "-7": -7,
    "0x1F": 31,
    "0o17": 15,
    "1.5": 1.5,
    ".5": 0.5,
    "1e3": 1000.0,
    "-.inf": -math.inf,
    # Other values in YAML 1.1.
    "yes": "yes",
    "no": "no",
    "on": "on",
    "y": "y",
    "1:30": "1:30",
    "1_000": "1_000",
    "0b11": "0b11",
    "017_7": "017_7",
    "2026-01-15": "2026-01-15",
    "2026-01-15 09:30:00": "2026-01-15 09:30:00",
    "=": "=",
}


@pytest.mark.parametrize("text", VALUES)
def test_a_plain_value_is_that_of_the_core_schema(text: str) -> None:
    value = yaml.load(text, Loader=CoreLoader)
    assert (type(value), value) == (type(VALUES[text]), VALUES[text])


def test_mappings_can_be_merged() -> None:
    value = yaml.load("{a: &a {b: 1}, c: {<<: *a, d: 2}}", Loader=CoreLoader)
    assert value["c"] == {"b": 1, "d": 2}
