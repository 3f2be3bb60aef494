"""`trace`: every requirement has a case."""

from pathlib import Path

from support.command import call

from clients_register.conformance.commands import find_gaps

DOCUMENT = Path(__file__).parents[2] / "docs" / "tracing.md"


def test_no_requirement_is_without_a_case(tmp_path: Path) -> None:
    file = tmp_path / "tracing.md"
    done = call("trace", "--markdown", str(file))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "no gaps")
    assert file.read_text("utf-8") == DOCUMENT.read_text("utf-8")


def test_a_gap_is_reported() -> None:
    requirements = {"R-NEW": {"testable": True}}
    assert list(find_gaps(requirements, [])) == ["R-NEW: no case tests it"]
