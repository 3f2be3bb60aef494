"""What README.md shows is so."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.live import Live
from support.stub import LiveStub

from clients_register.spec.table import update_page

README = Path(__file__).parents[1] / "README.md"


def block(language: str, containing: str) -> str:
    """The fenced block of `language` that contains a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", README.read_text("utf-8"), re.M | re.S)
    (found,) = (each for each in blocks if containing in each)
    return str(found)


def test_its_table_of_statuses_is_the_one_of_the_spec() -> None:
    page = README.read_text("utf-8")
    assert update_page(page) == page, "run: python -m clients_register.spec.table README.md"


@pytest.mark.parametrize("page", ["", "no marks"])
def test_a_page_without_the_marks_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="expected the marks"):
        update_page(page)


def test_its_curl_line_gives_its_answer(live: Live) -> None:
    line = block("sh", "base64 | curl").replace("http://127.0.0.1:4018", live.origin)
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    shown: dict[str, Any] = json.loads(block("json", "action-successful"))
    answered = json.loads(done.stdout)
    assert answered["session"].pop("token") != shown["session"].pop("token")
    assert answered == shown


def test_its_lines_for_the_control_plane_are_understood(stub: LiveStub) -> None:
    stub.registered("ada@example.test")
    lines = block("sh", "/_mock/clock").replace("http://127.0.0.1:4018", stub.origin).splitlines()
    assert len(lines) == 5
    for line in lines:
        # -f hides the answer, and here statuses are missing: what is asked for is an answer.
        shown = line.replace("curl ", "curl -sS -i ", 1).replace(" -f ", " ", 1)
        done = subprocess.run(["bash", "-c", shown], capture_output=True, text=True, check=True)
        assert "mock-error" not in done.stdout.lower(), done.stdout
