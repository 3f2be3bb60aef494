"""Tests the encoder with known answers that were computed independently."""

import json
from pathlib import Path
from typing import Any

import pytest
from encode import encode

KNOWN = json.loads(Path(__file__).with_name("known-answers.json").read_text("utf-8"))


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known["about"])
def test_a_known_answer(known: dict[str, Any]) -> None:
    assert encode(known["params"]).decode() == known["body"]


def test_what_json_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode({"client": {"company_id": float("nan")}})
